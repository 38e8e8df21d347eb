//! What Linux tells of a process.

use std::fs;

use anyhow::{Context as _, Result};

/// What there is of it at one moment.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Usage {
    /// Resident memory, in KiB.
    pub(crate) resident: u64,
    /// The most there ever was of it.
    pub(crate) peak: u64,
    pub(crate) descriptors: usize,
    pub(crate) threads: u64,
}

impl Usage {
    pub(crate) fn of_this_process() -> Result<Self> {
        Self::of(std::process::id())
    }

    pub(crate) fn of(process: u32) -> Result<Self> {
        let status = fs::read_to_string(format!("/proc/{process}/status"))
            .with_context(|| format!("process {process}"))?;
        let field = |name: &str| -> Result<u64> {
            let line = status.lines().find_map(|line| line.strip_prefix(name));
            let number = line.and_then(|line| line.split_whitespace().next());
            Ok(number.with_context(|| format!("no {name}"))?.parse()?)
        };
        Ok(Self {
            resident: field("VmRSS:")?,
            peak: field("VmHWM:")?,
            descriptors: fs::read_dir(format!("/proc/{process}/fd"))?.count(),
            threads: field("Threads:")?,
        })
    }
}
