//! Where a capture is read from: a file, or the standard input.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use anyhow::Context;

use super::format;
use crate::args::Format;
use crate::progress::Progress;

/// The bytes of a capture, whose first ones have been looked at.
pub(crate) struct Input {
    name: String,
    /// Those that were looked at and are still to be read.
    start: Vec<u8>,
    rest: Box<dyn Read + Send>,
    /// Of a file.
    progress: Option<Progress>,
}

impl Input {
    /// Opens a file; `-` is the standard input.
    ///
    /// # Errors
    /// It cannot be read.
    pub(crate) fn open(path: &Path) -> anyhow::Result<Self> {
        let mut progress = None;
        let (name, mut rest): (_, Box<dyn Read + Send>) = if path == Path::new("-") {
            ("the standard input".to_owned(), Box::new(io::stdin()))
        } else {
            let name = path.display().to_string();
            let file = File::open(path).with_context(|| format!("cannot read {name}"))?;
            let size = file.metadata().map_or(0, |metadata| metadata.len());
            progress = (size > 0).then(|| Progress::bytes(size));
            (name, Box::new(file))
        };
        let mut start = Vec::new();
        let few = format::BYTES_NEEDED as u64;
        let looked = rest.by_ref().take(few).read_to_end(&mut start);
        looked.with_context(|| format!("cannot read {name}"))?;
        Ok(Self {
            name,
            start,
            rest,
            progress,
        })
    }

    /// What it is called in messages.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Whether there is nothing to read at all.
    pub(crate) fn is_empty(&self) -> bool {
        self.start.is_empty()
    }

    /// Whether it begins as the newer one of the two formats of packets.
    pub(super) fn is_pcapng(&self) -> bool {
        self.start.starts_with(&format::PCAPNG)
    }

    /// What its first bytes say it is.
    pub(crate) fn format(&self) -> Format {
        format::of(&self.start)
    }
}

impl Read for Input {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let known = self.start.len().min(buffer.len());
        let (front, back) = buffer.split_at_mut(known);
        front.copy_from_slice(&self.start[..known]);
        // Readers of packets want a whole header at once, which may go on behind the known bytes.
        let more = if back.is_empty() {
            0
        } else {
            self.rest.read(back)?
        };
        self.start.drain(..known);
        if let Some(progress) = &mut self.progress {
            progress.advance((known + more) as u64);
        }
        Ok(known + more)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_looked_at_is_read_too() {
        for buffer_bytes in 1..10 {
            let mut input = Input {
                name: String::new(),
                start: vec![1, 2, 3, 4],
                rest: Box::new(&[5, 6, 7][..]),
                progress: None,
            };
            let mut found: Vec<u8> = Vec::new();
            let mut buffer = vec![0; buffer_bytes];
            loop {
                match input.read(&mut buffer).unwrap() {
                    0 => break,
                    read => found.extend(&buffer[..read]),
                }
            }
            assert_eq!(found, [1, 2, 3, 4, 5, 6, 7]);
        }
    }
}
