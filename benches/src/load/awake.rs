//! Keeps idle processors from sleeping.
//!
//! One that sleeps needs some time to wake up, on a virtual machine more than all of a batch of small
//! calls takes: then that is what is measured, of all systems alike.

use std::{
    fs::{File, OpenOptions},
    io::Write as _,
};

use anyhow::{Context as _, Result};

/// Linux lets a processor sleep no deeper than it can wake up from within the time that is written
/// here, in microseconds, for as long as the file is open.
const LATENCY: &str = "/dev/cpu_dma_latency";

/// As long as this exists, idle processors wait for work in a loop.
#[derive(Debug)]
pub struct Awake(#[expect(dead_code, reason = "open for as long as this exists")] File);

impl Awake {
    /// Keeps them awake from now on.
    ///
    /// # Errors
    /// The system is not Linux, or does not let this process.
    pub fn keep() -> Result<Self> {
        let open = || {
            let mut file = OpenOptions::new().write(true).open(LATENCY)?;
            file.write_all(&0_i32.to_ne_bytes())?;
            Ok::<_, std::io::Error>(file)
        };
        let file = open().with_context(|| format!("writing to {LATENCY}, which takes root"))?;
        Ok(Self(file))
    }
}
