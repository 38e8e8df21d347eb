//! Every hostile peer against the interoperability suite's server, as another process.

use anyhow::Result;

use crate::cargo::Cargo;
use crate::interop::Server;

/// Starts the server and runs them.
///
/// # Errors
/// One of them harmed the server, or others on it.
pub(crate) fn run() -> Result<()> {
    Cargo::new("build --release -p rpc-cli").run()?;
    let mut server = Server::start("")?;
    let (address, process) = (server.address()?, server.process());
    let line = format!("run --release -p rpc-soak -- hostile {address} {process}");
    Cargo::new(&line).run()
}
