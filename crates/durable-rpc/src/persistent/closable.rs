//! What can be kept: something that can be closed, and closes.

use rpc_core::Connection;
use rpc_versioned::ConnectionWithMenu;

/// A connection of any kind, as far as keeping it goes. Its clones are handles to the same one.
pub trait Closable: Clone + Send + Sync + 'static {
    /// Starts closing it. Twice has no further effect.
    fn close(&self);

    /// Whether it is of no use any more.
    fn is_closed(&self) -> bool;

    /// Waits until it has finished closing, whoever started that.
    fn closed(&self) -> impl Future<Output = ()> + Send;
}

/// A peer that announced a graceful close makes it of no use at once, and another one is made when
/// it has finished closing (rule P-TC-3).
impl Closable for Connection {
    fn close(&self) {
        self.close();
    }

    fn is_closed(&self) -> bool {
        self.is_closed()
    }

    async fn closed(&self) {
        self.closed().await;
    }
}

impl Closable for ConnectionWithMenu {
    fn close(&self) {
        self.connection().close();
    }

    fn is_closed(&self) -> bool {
        self.connection().is_closed()
    }

    async fn closed(&self) {
        self.connection().closed().await;
    }
}
