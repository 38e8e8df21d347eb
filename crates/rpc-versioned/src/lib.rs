//! Which versions of an RPC a peer answers.
//!
//! Two programs that were built at different times share some versions of an RPC. A
//! [`ConnectionWithMenu`] knows what its peer implements, and [`highest_common`] which version to
//! use. Adds nothing to the wire except one ordinary RPC, and that only towards peers whose
//! handshake has no menu.
//!
//! # Examples
//!
//! ```
//! use rpc_core::{Connection, DispatchError, Rpc};
//! use rpc_versioned::ConnectionWithMenu;
//!
//! static PRICE_1: Rpc<String, i64> = Rpc::new("price", 1);
//! static PRICE_2: Rpc<(String, String), i64> = Rpc::new("price", 2);
//!
//! async fn price(connection: &ConnectionWithMenu) -> Option<Result<i64, DispatchError>> {
//!     let symbol = "ABC".to_owned();
//!     match connection.highest_common("price", &[1, 2]) {
//!         Ok(2) => Some(PRICE_2.dispatch(connection.connection(), &(symbol, "USD".into())).await),
//!         Ok(1) => Some(PRICE_1.dispatch(connection.connection(), &symbol).await),
//!         _ => None,
//!     }
//! }
//! # let _ = price;
//! ```
#![forbid(unsafe_code)]
#![warn(clippy::unwrap_used)]

mod connection_with_menu;
mod selection;

pub use connection_with_menu::{ConnectionWithMenu, MenuRequestError};
pub use selection::{NoCommonVersion, highest_common};
