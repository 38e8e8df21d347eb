//! Everything in the given places, one after the other.

use std::fmt;
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::thread;

use rpc_testkit::golden::{self, FileError, Malformed, Vector};
use rpc_testkit::recording::{self, Recording};

use crate::recordings;
use crate::report::{Checked, Problem, Report, Summary};
use crate::types::Types;
use crate::vectors::{self, Scope};

/// Where vectors and recordings are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Places {
    /// Files of vectors.
    pub vectors: Vec<PathBuf>,
    /// Folders of recordings, or single ones.
    pub recordings: Vec<PathBuf>,
}

/// Those of the repository.
impl Default for Places {
    fn default() -> Self {
        Self {
            vectors: vec![golden::default_vectors()],
            recordings: vec![recording::default_recordings()],
        }
    }
}

/// For the deepest values that a file may hold, in a build without optimisation.
const STACK_BYTES: usize = 1 << 29;

/// Checks everything, prints a line for each vector and recording that does not pass, and then the
/// summary.
///
/// Types that the vectors do not describe are looked up in `conformance/vectors.json`.
///
/// # Errors
/// `output` could not be written to. Whatever is wrong with the places is part of the report.
///
/// # Panics
/// No thread can be started.
pub fn run(places: &Places, output: &mut (dyn Write + Send)) -> io::Result<Summary> {
    // Values, shapes and the JSON around them are walked by recursion, deeper than a thread's
    // usual stack would allow.
    thread::scope(|scope| {
        let check_all = || check_all(places, output);
        let runner = thread::Builder::new()
            .stack_size(STACK_BYTES)
            .spawn_scoped(scope, check_all)?;
        runner
            .join()
            .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    })
}

fn check_all(places: &Places, output: &mut (dyn Write + Send)) -> io::Result<Summary> {
    let mut report = Report::new(output);
    let mut files: Vec<File> = places.vectors.iter().map(|path| File::read(path)).collect();
    let base = golden::default_vectors();
    let protocol = match files.iter().position(|file| is_same(&file.path, &base)) {
        Some(number) => number,
        None => {
            files.push(File::read(&base));
            files.len() - 1
        }
    };
    let types = Types::new(files.iter().map(|file| file.vectors().collect()));
    for (number, file) in files.iter().enumerate() {
        let place = Shown(&file.path);
        let is_asked_for = number < places.vectors.len();
        match &file.entries {
            Err(error) => report.add(&place, &Err(unreadable(error)))?,
            Ok(entries) if is_asked_for => {
                for entry in entries {
                    let scope = Scope {
                        types: &types,
                        file: number,
                        protocol,
                    };
                    check_entry(&mut report, &place, entry, scope)?;
                }
            }
            Ok(_) => {}
        }
    }
    for place in &places.recordings {
        check_recordings(&mut report, place, &types)?;
    }
    report.finish()
}

fn check_entry(
    report: &mut Report<'_>,
    file: &Shown<'_>,
    entry: &Result<Vector, Malformed>,
    scope: Scope<'_>,
) -> io::Result<()> {
    match entry {
        Ok(vector) => {
            let place = format_args!("{file}: {}", vector.name).to_string();
            report.add(place, &vectors::check(vector, scope))
        }
        Err(malformed) => {
            let problem = Problem::Malformed(malformed.problem.clone());
            report.add(format!("{file}: {}", malformed.entry), &Err(problem))
        }
    }
}

fn check_recordings(report: &mut Report<'_>, place: &Path, types: &Types) -> io::Result<()> {
    let files = match place.is_dir() {
        false => Ok(vec![place.to_owned()]),
        true => recording::files(place),
    };
    match files {
        Err(error) => report.add(Shown(place), &Err(unreadable(&error))),
        Ok(files) if files.is_empty() => {
            let problem = Problem::Malformed("holds no recordings (*.jsonl)".to_owned());
            report.add(Shown(place), &Err(problem))
        }
        Ok(files) => files
            .iter()
            .try_for_each(|path| report.add(Shown(path), &check_recording(path, types))),
    }
}

fn check_recording(path: &Path, types: &Types) -> Checked {
    match Recording::read(path) {
        Ok(recording) => recordings::check(&recording, types),
        Err(recording::Error::Malformed(malformed)) => {
            Err(Problem::Malformed(malformed.to_string()))
        }
        Err(error) => Err(unreadable(&error)),
    }
}

/// What is wrong with a file as a whole, with its causes.
fn unreadable(error: &dyn std::error::Error) -> Problem {
    let causes = std::iter::successors(Some(error), |error| error.source());
    let texts: Vec<_> = causes.map(ToString::to_string).collect();
    Problem::Malformed(texts.join(": "))
}

/// A file of vectors.
struct File {
    path: PathBuf,
    entries: Result<Vec<Result<Vector, Malformed>>, FileError>,
}

impl File {
    fn read(path: &Path) -> Self {
        Self {
            path: path.to_owned(),
            entries: golden::read(path),
        }
    }

    fn vectors(&self) -> impl Iterator<Item = &Vector> {
        self.entries.iter().flatten().flatten()
    }
}

fn is_same(a: &Path, b: &Path) -> bool {
    match (fs::canonicalize(a), fs::canonicalize(b)) {
        (Ok(a), Ok(b)) => a == b,
        _ => a == b,
    }
}

/// A path as it was given; those of the repository's own files from its root.
struct Shown<'p>(&'p Path);

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = self.0.strip_prefix(golden::repository()).unwrap_or(self.0);
        path.display().fmt(f)
    }
}
