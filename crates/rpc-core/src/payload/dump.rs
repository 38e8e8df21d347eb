//! Payloads that could not be decoded, kept in files for whoever has to find out why
//! (*connection* §13).

use std::ffi::OsStr;
use std::fs::{DirBuilder, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::SystemTime;

use super::Undecodable;

/// What the files of one directory may take up, all together: a peer that sends nonsense must
/// not fill the disk.
const MOST_BYTES: u64 = 64 * 1024 * 1024;

/// What a file costs beside its content.
const FILE_BYTES: u64 = 4096;

/// Where names without a slash go, and what has no name.
const SHARED_MEMORY: &str = "/dev/shm";
const DEFAULT_NAME: &str = "async-rpc-undecodable";

/// A directory for payloads, and what it may still take. Clones share that.
#[derive(Clone, Debug)]
pub(crate) struct Dump {
    directory: PathBuf,
    left: Arc<AtomicU64>,
}

/// Two of them are the same if their files go to the same place.
impl PartialEq for Dump {
    fn eq(&self, other: &Self) -> bool {
        self.directory == other.directory
    }
}

impl Eq for Dump {}

impl Dump {
    pub(crate) fn new(directory: impl Into<PathBuf>) -> Self {
        Self {
            directory: directory.into(),
            left: Arc::new(AtomicU64::new(MOST_BYTES)),
        }
    }

    /// The directory that the value of an environment variable stands for: a path; or a name,
    /// which goes under shared memory; or nothing or `1` for a default.
    pub(crate) fn named(value: &OsStr) -> Self {
        let shared = match Path::new(SHARED_MEMORY) {
            memory if memory.is_dir() => memory.to_owned(),
            _ => std::env::temp_dir(),
        };
        let bytes = value.as_encoded_bytes();
        Self::new(match bytes {
            b"" | b"1" => shared.join(DEFAULT_NAME),
            _ if bytes.contains(&b'/') => PathBuf::from(value),
            _ => shared.join(value),
        })
    }

    #[cfg(test)]
    pub(crate) fn directory(&self) -> &Path {
        &self.directory
    }

    /// Writes a payload to a file of its own, unless there is no room left. The name of that file.
    fn write(&self, payload: &[u8]) -> io::Result<Option<PathBuf>> {
        let cost = payload.len() as u64 + FILE_BYTES;
        let take = |left: u64| left.checked_sub(cost);
        let (order, fetch) = (Ordering::Relaxed, Ordering::Relaxed);
        let Ok(left) = self.left.fetch_update(order, fetch, take) else {
            return Ok(None);
        };
        create_directory(&self.directory)?;
        let since = SystemTime::UNIX_EPOCH.elapsed().unwrap_or_default();
        // What is left goes down with every file, so no two of this process have the same.
        let name = format!("{}-{}-{left}", since.as_nanos(), std::process::id());
        let path = self.directory.join(name);
        create_file(&path)?.write_all(payload)?;
        Ok(Some(path))
    }
}

/// What users send is not for everybody's eyes.
fn create_directory(path: &Path) -> io::Result<()> {
    let mut builder = DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.recursive(true).create(path)
}

fn create_file(path: &Path) -> io::Result<std::fs::File> {
    let mut options = OpenOptions::new();
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.write(true).create_new(true).open(path)
}

/// Where payloads go that could not be decoded.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Dumps {
    pub(crate) undecodable: Option<Dump>,
    /// Those that decoded to something, of another length than was announced.
    pub(crate) wrong_length: Option<Dump>,
}

impl Dumps {
    /// These, and where they say nothing, `others`.
    pub(crate) fn or(&self, others: &Self) -> Self {
        let or =
            |one: &Option<Dump>, other: &Option<Dump>| one.as_ref().or(other.as_ref()).cloned();
        Self {
            undecodable: or(&self.undecodable, &others.undecodable),
            wrong_length: or(&self.wrong_length, &others.wrong_length),
        }
    }

    /// Keeps a payload, if that was asked for, and logs where. That it cannot be written harms
    /// nobody else.
    #[cold]
    pub(crate) fn keep(&self, connection: &str, location: &str, error: &Undecodable, bytes: &[u8]) {
        let dump = match error.is_wrong_length() {
            true => &self.wrong_length,
            false => &self.undecodable,
        };
        let Some(dump) = dump else { return };
        match dump.write(bytes) {
            Ok(Some(path)) => {
                let path = path.display();
                tracing::warn!(connection, location, %error, %path, "undecodable payload kept");
            }
            Ok(None) => {
                let directory = dump.directory.display();
                tracing::warn!(connection, location, %error, %directory, "no room for a payload");
            }
            Err(failure) => {
                let directory = dump.directory.display();
                tracing::warn!(connection, %failure, %directory, "payload cannot be kept");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// *connection* §13: a path, a name, or a default.
    #[test]
    fn value_of_the_variable_names_a_directory() {
        let directory = |value: &str| Dump::named(value.as_ref()).directory;
        assert_eq!(directory("/var/tmp/rpc"), Path::new("/var/tmp/rpc"));
        assert_eq!(directory("here/rpc"), Path::new("here/rpc"));
        let default = directory("");
        assert_eq!(default.file_name(), Some(DEFAULT_NAME.as_ref()));
        assert_eq!(directory("1"), default);
        assert_eq!(directory("prices"), default.with_file_name("prices"));
    }

    /// No peer fills the disk: the room is for all files together, whoever writes them.
    #[test]
    fn files_have_a_bound_together() {
        let name = format!("dump-room-{}", std::process::id());
        let dump = Dump::new(std::env::temp_dir().join(name));
        dump.left.store(3 * FILE_BYTES, Ordering::Relaxed);
        let clone = dump.clone();
        let first = dump.write(b"first").unwrap().unwrap();
        let second = clone.write(b"second").unwrap().unwrap();
        assert_ne!(first, second);
        // The two contents have used up some of the third file's room.
        assert_eq!(dump.write(b"").unwrap(), None);
        assert_eq!(std::fs::read(first).unwrap(), b"first");
        assert_eq!(std::fs::read(second).unwrap(), b"second");
        std::fs::remove_dir_all(&dump.directory).unwrap();
    }

    #[test]
    fn what_is_said_first_counts() {
        let dumps = |undecodable: Option<&str>, wrong_length: Option<&str>| Dumps {
            undecodable: undecodable.map(Dump::new),
            wrong_length: wrong_length.map(Dump::new),
        };
        let both = dumps(Some("a"), None).or(&dumps(Some("b"), Some("c")));
        assert_eq!(both, dumps(Some("a"), Some("c")));
    }
}
