//! Files to run, and the report that comes out.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use rpc_conformance::{Places, Summary};
use serde_json::Value as Json;

/// What a run printed, without its last line, and that line.
pub(crate) struct Report {
    pub(crate) lines: Vec<String>,
    pub(crate) summary: Summary,
}

#[track_caller]
pub(crate) fn run(places: &Places) -> Report {
    let mut output = Vec::new();
    let summary = rpc_conformance::run(places, &mut output).unwrap();
    let output = String::from_utf8(output).unwrap();
    let mut lines: Vec<_> = output.lines().map(str::to_owned).collect();
    assert_eq!(lines.pop(), Some(summary.to_string()), "the last line");
    let problems = summary.failed + summary.skipped;
    assert_eq!(lines.len(), problems, "a line for each: {lines:#?}");
    Report { lines, summary }
}

/// A folder of the test's own.
pub(crate) fn folder() -> PathBuf {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    let folder = format!("conformance-{}-{number}", std::process::id());
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(folder);
    fs::create_dir_all(&folder).unwrap();
    folder
}

/// Runs a file of vectors with this text; its path in the lines is cut to its name.
#[track_caller]
pub(crate) fn run_text(text: &str) -> Report {
    let folder = folder();
    let path = folder.join("vectors.json");
    fs::write(&path, text).unwrap();
    let report = run(&Places {
        vectors: vec![path],
        recordings: vec![],
    });
    cut(report, &folder)
}

#[track_caller]
pub(crate) fn run_vectors(vectors: &[Json]) -> Report {
    run_text(&Json::from(vectors).to_string())
}

/// Runs recordings with these names and texts.
#[track_caller]
pub(crate) fn run_recordings(recordings: &[(&str, &str)]) -> Report {
    let folder = folder();
    for (name, text) in recordings {
        fs::write(folder.join(format!("{name}.jsonl")), text).unwrap();
    }
    let report = run(&Places {
        vectors: vec![],
        recordings: vec![folder.clone()],
    });
    cut(report, &folder)
}

/// The report without the folder's path, and the folder removed.
fn cut(mut report: Report, folder: &Path) -> Report {
    let path = format!("{}/", folder.display());
    for line in &mut report.lines {
        *line = line.replace(&path, "");
    }
    fs::remove_dir_all(folder).unwrap();
    report
}
