//! A connection together with what its peer implements.

use std::sync::Arc;

use rpc_core::{Connection, DispatchError, MENU_RPC};
use rpc_wire::{Description, Menu, MenuError};
use thiserror::Error;

use crate::selection::{NoCommonVersion, highest_common};

/// A connection and its peer's menu, which is fixed when this is made (rule V-RQ-4). Cheap to
/// clone.
#[derive(Clone, Debug)]
pub struct ConnectionWithMenu {
    connection: Connection,
    menu: Arc<Menu>,
}

/// Why the peer's menu is not known.
#[derive(Clone, Debug, Error)]
#[non_exhaustive]
pub enum MenuRequestError {
    /// The peer did not answer the menu RPC.
    #[error("cannot request the menu")]
    Dispatch(#[from] DispatchError),
    /// It answered with something that is no menu (rule V-RQ-2).
    #[error("peer sent an unacceptable menu")]
    Menu(#[from] MenuError),
}

impl ConnectionWithMenu {
    /// Takes the menu of the handshake; if there was none, asks the peer for it
    /// (rule V-RQ-1). A menu that was asked for has no digests (rule V-RQ-3).
    ///
    /// # Cancel safety
    /// Dropping the future forgets the answer, and the handle to the connection.
    ///
    /// # Errors
    /// See [`MenuRequestError`].
    pub async fn request(connection: Connection) -> Result<Self, MenuRequestError> {
        let menu = match connection.peer_menu() {
            Some(menu) => menu.clone(),
            None => {
                let answer = MENU_RPC.dispatch(&connection, &()).await?;
                let description = |(name, version)| Description::new(name, version);
                Menu::new(answer.into_iter().map(description))?
            }
        };
        Ok(Self::new(connection, menu))
    }

    /// Pairs a connection with a menu that is known otherwise.
    pub fn new(connection: Connection, menu: Menu) -> Self {
        Self {
            connection,
            menu: Arc::new(menu),
        }
    }

    /// The connection.
    pub fn connection(&self) -> &Connection {
        &self.connection
    }

    /// What the peer implements.
    pub fn menu(&self) -> &Menu {
        &self.menu
    }

    pub(crate) fn shared_menu(&self) -> &Arc<Menu> {
        &self.menu
    }

    /// The highest version of `name` that the peer implements and that is among `versions`.
    ///
    /// # Errors
    /// There is none.
    pub fn highest_common(&self, name: &str, versions: &[i64]) -> Result<i64, NoCommonVersion> {
        highest_common(&self.menu, name, versions)
    }
}
