//! The inputs that are kept in the folders of the package `fuzz`.

use std::fs;
use std::path::{Path, PathBuf};

use rpc_checks::Check;

/// An input, and where it is.
pub(crate) struct Input {
    pub(crate) path: PathBuf,
    pub(crate) bytes: Vec<u8>,
}

/// The inputs of a check in one of the folders; none if it has none there.
pub(crate) fn inputs(folder: &str, check: &Check) -> Vec<Input> {
    let folder = package().join(folder).join(check.name);
    let Ok(entries) = fs::read_dir(&folder) else {
        return Vec::new();
    };
    let mut inputs: Vec<_> = entries
        .map(|entry| {
            let path = entry.unwrap().path();
            let bytes = fs::read(&path).unwrap();
            Input { path, bytes }
        })
        .collect();
    inputs.sort_by(|a, b| a.path.cmp(&b.path));
    inputs
}

/// The package `fuzz`.
pub(crate) fn package() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz")
}
