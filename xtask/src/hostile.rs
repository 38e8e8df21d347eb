//! Every hostile peer against the interoperability suite's server, as another process.

use anyhow::Result;

use crate::cargo::{Cargo, root};

/// Builds the server, and runs them.
///
/// # Errors
/// One of them harmed the server, or others on it.
pub(crate) fn run() -> Result<()> {
    Cargo::new("build --release -p rpc-cli").run()?;
    let program = root().join("target/release/rpc");
    Cargo::new("run --release -p rpc-soak -- hostile")
        .arguments(&[program.display().to_string()])
        .run()
}
