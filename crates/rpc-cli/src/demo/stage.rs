//! The server, the path to it and the directory that says where that begins; and the faults that
//! happen to them.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::Context;

use super::fault::Fault;
use super::path::Path;
use super::server::ServerProcess;

/// Where the server can be reached: what a directory service would be asked. Cheap to clone; the
/// clones share it.
#[derive(Clone, Debug)]
pub(crate) struct Directory(Arc<Mutex<SocketAddr>>);

impl Directory {
    /// The address that was announced last.
    pub(crate) fn look_up(&self) -> SocketAddr {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn announce(&self, address: SocketAddr) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = address;
    }
}

/// Everything that a viewer depends on. Dropping it ends the server.
pub(crate) struct Stage {
    directory: Directory,
    server: ServerProcess,
    /// `None` while the server is gone.
    path: Option<Path>,
    interval: Duration,
}

impl Stage {
    /// A server that publishes in this interval, and a path to it.
    pub(crate) async fn set(interval: Duration) -> anyhow::Result<Self> {
        let (server, path) = somewhere(interval).await?;
        Ok(Self {
            directory: Directory(Arc::new(Mutex::new(path.address()))),
            server,
            path: Some(path),
            interval,
        })
    }

    /// Where viewers look for it.
    pub(crate) fn directory(&self) -> Directory {
        self.directory.clone()
    }

    /// The number of the server's process.
    pub(crate) fn server_id(&self) -> u32 {
        self.server.id()
    }

    /// What is going to happen, in words.
    pub(crate) fn announcement(&self, fault: Fault) -> String {
        let id = self.server.id();
        match fault {
            Fault::Kill => format!("FAULT: server process {id} is killed with SIGKILL"),
            Fault::Freeze => format!("FAULT: server process {id} is frozen with SIGSTOP"),
            Fault::Cut => "FAULT: the network loses everything from now on".to_owned(),
            Fault::Move => format!("FAULT: server process {id} shuts down, to come up elsewhere"),
        }
    }

    /// Makes it happen.
    ///
    /// # Errors
    /// It cannot be made to happen.
    pub(crate) async fn begin(&mut self, fault: Fault) -> anyhow::Result<()> {
        match fault {
            Fault::Kill => self.server.kill().await?,
            Fault::Freeze => self.server.freeze(true)?,
            Fault::Cut => self.path()?.cut(),
            Fault::Move => {
                self.server.shut_down().await?;
                self.path = None;
            }
        }
        Ok(())
    }

    /// Repairs it, and says how.
    ///
    /// # Errors
    /// It cannot be repaired.
    pub(crate) async fn repair(&mut self, fault: Fault) -> anyhow::Result<String> {
        match fault {
            Fault::Kill => {
                let address = self.server.address();
                self.server = ServerProcess::start(address, self.interval).await?;
                let id = self.server.id();
                Ok(format!(
                    "REPAIRED: server process {id} is up on the same port"
                ))
            }
            Fault::Freeze => {
                self.server.freeze(false)?;
                let id = self.server.id();
                Ok(format!("REPAIRED: server process {id} goes on"))
            }
            Fault::Cut => {
                self.path()?.mend();
                Ok("REPAIRED: the network works again".to_owned())
            }
            Fault::Move => {
                let (server, path) = somewhere(self.interval).await?;
                let address = path.address();
                (self.server, self.path) = (server, Some(path));
                self.directory.announce(address);
                let id = self.server.id();
                Ok(format!("REPAIRED: server process {id} is up, at {address}"))
            }
        }
    }

    fn path(&self) -> anyhow::Result<&Path> {
        self.path.as_ref().context("there is no path")
    }
}

async fn somewhere(interval: Duration) -> anyhow::Result<(ServerProcess, Path)> {
    let any_port = SocketAddr::from(([127, 0, 0, 1], 0));
    let server = ServerProcess::start(any_port, interval).await?;
    let path = Path::to(server.address()).await;
    Ok((server, path.context("cannot make a path to the server")?))
}
