//! Conversations recorded between two processes, most of them of the reference implementation.
//!
//! Knows the format of the files, which `docs/conformance.md` describes, and nothing of what their
//! bytes mean.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use serde::Deserialize;
use thiserror::Error;

use crate::golden::{decode_hex, repository};

/// The bytes that two peers sent each other over one connection.
///
/// # Examples
/// ```
/// use rpc_testkit::recording::{Recording, Side};
///
/// let recording = Recording::load("echo-small.v1");
/// assert_eq!(recording.wire_version, 1);
/// // Each side opens with its version header, a frame of 7 bytes.
/// assert!(recording.stream(Side::Callee).starts_with(&7_u64.to_le_bytes()));
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Recording {
    /// The file's name without `.jsonl`, usually `case.vN`, `case.vN.c2` for the second connection of a
    /// case, or `handshake-mixed.sAcB` for a callee that offers versions 1 to A and a caller that
    /// offers 1 to B.
    pub name: String,
    /// What was played, mostly a case of the interoperability suite: the name up to its first dot.
    pub case: String,
    /// The version that both sides negotiated.
    pub wire_version: u8,
    /// What was seen on the socket, in the order it was seen. Frames may span chunks.
    pub chunks: Vec<Chunk>,
}

/// What one side did at one moment.
#[derive(Clone, Debug, PartialEq)]
pub struct Chunk {
    /// Seconds since the connection began.
    pub at_seconds: f64,
    /// Who did it.
    pub from: Side,
    /// What it did.
    pub data: Data,
}

/// One end of a recorded connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Side {
    /// The process that connected and sent queries.
    Caller,
    /// The process that listened and answered.
    Callee,
}

/// Bytes of a stream, or its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Data {
    /// The side sent these bytes, at least one.
    Bytes(Vec<u8>),
    /// The side closed. Nothing from it follows.
    End,
}

/// Cases that the interoperability suite does not have, ordered by name: tests of `rpc-core` play their
/// recordings. All other recordings are played at the suite's own processes.
pub const BEYOND_THE_SUITE: &[&str] = &[
    "boom-close",
    "close-none",
    "close-sexp",
    "close-tag",
    "close-text",
    "handshake-noident",
    "lift-error",
    "lift-error-oneway",
    "menu-large",
    "menu-large-digests",
    "server-close-create",
    "server-close-empty",
    "server-close-exn",
    "server-close-list",
    "server-close-none",
    "server-close-sexp",
    "server-close-tag",
    "server-close-text",
];

/// Why a file is no recording.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum Error {
    /// It cannot be read.
    #[error("cannot be read")]
    Unreadable(#[from] io::Error),
    /// It can be read, and means nothing.
    #[error(transparent)]
    Malformed(#[from] Malformed),
}

/// A line of a file that has another form than it should.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("line {line}: {problem}")]
pub struct Malformed {
    /// The line, counted from 1.
    pub line: usize,
    /// What is wrong with it.
    pub problem: String,
}

impl Recording {
    /// Every recording of the repository, ordered by name.
    ///
    /// # Panics
    /// If a file cannot be read or is malformed; the message names the file and the line.
    #[must_use]
    pub fn load_all() -> Vec<Self> {
        let folder = default_recordings();
        let files = files(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
        files.iter().map(|path| Self::read_expected(path)).collect()
    }

    /// The repository's recording of this name, such as `echo-small.v6`.
    ///
    /// # Panics
    /// As [`load_all`](Self::load_all), and if there is no such file.
    #[must_use]
    pub fn load(name: &str) -> Self {
        Self::read_expected(&default_recordings().join(format!("{name}.jsonl")))
    }

    fn read_expected(path: &Path) -> Self {
        Self::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
    }

    /// Reads a file, whose name without `.jsonl` becomes the recording's.
    ///
    /// # Errors
    /// It is no recording.
    pub fn read(path: &Path) -> Result<Self, Error> {
        let name = path.file_stem().unwrap_or_default().to_string_lossy();
        Ok(Self::parse(&name, &fs::read_to_string(path)?)?)
    }

    /// All that one side sent, in one piece.
    #[must_use]
    pub fn stream(&self, side: Side) -> Vec<u8> {
        let mut stream = Vec::new();
        for chunk in self.chunks.iter().filter(|chunk| chunk.from == side) {
            match &chunk.data {
                Data::Bytes(bytes) => stream.extend_from_slice(bytes),
                Data::End => {}
            }
        }
        stream
    }

    /// Reads the text of a file whose name, without its extension, is `name`.
    ///
    /// # Errors
    /// The first line that has another form than it should.
    pub fn parse(name: &str, text: &str) -> Result<Self, Malformed> {
        let mut lines = text.lines().enumerate();
        let (_, first) = lines
            .next()
            .ok_or_else(|| Malformed::new(0, "empty file"))?;
        let header: Header =
            serde_json::from_str(first).map_err(|error| Malformed::new(0, error))?;
        let mut chunks = Vec::new();
        for (index, line) in lines {
            let line: Line =
                serde_json::from_str(line).map_err(|error| Malformed::new(index, error))?;
            let data = line
                .data()
                .map_err(|problem| Malformed::new(index, problem))?;
            chunks.push(Chunk {
                at_seconds: line.t,
                from: line.from,
                data,
            });
        }
        let (case, variant) = split_name(&header.recording);
        // A few recordings leave the version to their names.
        let wire_version = (header.wire_version)
            .or_else(|| version_of_variant(variant))
            .ok_or_else(|| Malformed::new(0, "wire version neither here nor in the name"))?;
        Ok(Self {
            name: name.to_owned(),
            case: case.to_owned(),
            wire_version,
            chunks,
        })
    }
}

/// Where the repository's own recordings are.
#[must_use]
pub fn default_recordings() -> PathBuf {
    repository().join("conformance/recordings")
}

/// The recordings in a folder, ordered by name.
///
/// # Errors
/// The folder cannot be listed.
pub fn files(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path
            .extension()
            .is_some_and(|extension| extension == "jsonl")
        {
            files.push(path);
        }
    }
    files.sort_by(|a, b| a.file_stem().cmp(&b.file_stem()));
    Ok(files)
}

/// The case, and what follows the first dot.
fn split_name(name: &str) -> (&str, &str) {
    name.split_once('.').unwrap_or((name, ""))
}

/// 4 for `v4` and for `v4.c2`, nothing for `s4c5`.
fn version_of_variant(variant: &str) -> Option<u8> {
    let (version, _) = variant.split_once('.').unwrap_or((variant, ""));
    version.strip_prefix('v')?.parse().ok()
}

impl Malformed {
    fn new(index: usize, problem: impl ToString) -> Self {
        Self {
            line: index + 1,
            problem: problem.to_string(),
        }
    }
}

/// The first line of a file.
#[derive(Deserialize)]
struct Header {
    recording: String,
    wire_version: Option<u8>,
}

/// Each further line of a file, with either `hex` or `"end": true`.
#[derive(Deserialize)]
struct Line {
    t: f64,
    from: Side,
    hex: Option<String>,
    #[serde(default)]
    end: bool,
}

impl Line {
    fn data(&self) -> Result<Data, &'static str> {
        match (&self.hex, self.end) {
            (Some(hex), false) => bytes(hex).map(Data::Bytes),
            (None, true) => Ok(Data::End),
            (Some(_), true) => Err("both hex and end"),
            (None, false) => Err("neither hex nor end"),
        }
    }
}

fn bytes(hex: &str) -> Result<Vec<u8>, &'static str> {
    match decode_hex(hex) {
        Some(bytes) if !bytes.is_empty() => Ok(bytes),
        Some(_) => Err("hex holds no bytes"),
        None => Err("hex holds something else than pairs of hex digits"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEADER: &str = r#"{"recording": "a.v4", "wire_version": 4}"#;

    #[track_caller]
    fn check_malformed(text: &str, line: usize, problem: &str) {
        let malformed = Recording::parse("a.v4", text).unwrap_err();
        assert_eq!(malformed.line, line, "{malformed:?}");
        assert!(malformed.problem.contains(problem), "{malformed:?}");
    }

    #[test]
    fn parses_bytes_and_ends() {
        let text = format!(
            "{HEADER}\n{}\n{}\n{}\n",
            r#"{"t": 0.5, "from": "caller", "hex": "00ff"}"#,
            r#"{"t": 0.75, "from": "callee", "hex": "07"}"#,
            r#"{"t": 1, "from": "caller", "end": true}"#,
        );
        let recording = Recording::parse("a.v4", &text).unwrap();
        let chunk = |at_seconds, from, data| Chunk {
            at_seconds,
            from,
            data,
        };
        assert_eq!(
            recording,
            Recording {
                name: "a.v4".to_owned(),
                case: "a".to_owned(),
                wire_version: 4,
                chunks: vec![
                    chunk(0.5, Side::Caller, Data::Bytes(vec![0, 0xff])),
                    chunk(0.75, Side::Callee, Data::Bytes(vec![7])),
                    chunk(1.0, Side::Caller, Data::End),
                ],
            }
        );
    }

    #[test]
    fn the_name_gives_the_version_if_the_file_does_not() {
        let parse = |name: &str| {
            let text = format!(r#"{{"recording": "{name}", "wire_version": null}}"#);
            Recording::parse(name, &text)
                .map(|recording| recording.wire_version)
                .ok()
        };
        assert_eq!(parse("lift-error.v3"), Some(3));
        assert_eq!(parse("abort.v11.c2"), Some(11));
        assert_eq!(parse("handshake-mixed.s4c5"), None);
        assert_eq!(parse("abort"), None);
    }

    #[test]
    fn refuses_malformed_files_by_line() {
        check_malformed("", 1, "empty file");
        check_malformed("{}", 1, "missing field `recording`");
        check_malformed(&format!("{HEADER}\n\n"), 2, "EOF");
        let check = |line: &str, problem| check_malformed(&format!("{HEADER}\n{line}"), 2, problem);
        check(
            r#"{"t": 0, "from": "middle", "hex": "00"}"#,
            "unknown variant `middle`",
        );
        check(r#"{"t": 0, "from": "caller"}"#, "neither");
        check(
            r#"{"t": 0, "from": "caller", "hex": "00", "end": true}"#,
            "both",
        );
        check(r#"{"t": 0, "from": "caller", "hex": ""}"#, "no bytes");
        check(r#"{"t": 0, "from": "caller", "hex": "000"}"#, "pairs");
        check(r#"{"t": 0, "from": "caller", "hex": "0g"}"#, "pairs");
    }

    #[test]
    fn a_missing_file_is_named() {
        let panic = std::panic::catch_unwind(|| Recording::load("no-such.v1")).unwrap_err();
        let message = panic.downcast_ref::<String>().unwrap();
        assert!(message.contains("no-such.v1.jsonl: "), "{message}");
    }

    #[test]
    fn the_repository_has_its_recordings() {
        let recordings = Recording::load_all();
        assert!(recordings.len() >= 167, "{} recordings", recordings.len());
        assert!(recordings.is_sorted_by(|a, b| a.name < b.name));
    }
}
