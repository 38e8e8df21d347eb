//! One program, many versions: menus, and conversions between the versions of an RPC.
//!
//! Two programs that were built at different times agree, for each RPC, on a version that both
//! know, and convert between that version's types and one *model* of their own. This adds nothing
//! to the wire except two ordinary RPCs: one for the menu, asked only of peers whose handshake has
//! none, and [one for the types in full](SHAPE_MENU_RPC), where a server offers it.
//! How a type evolves without a flag day is told in `docs/versioning.md`.
//!
//! | | one model, many versions | |
//! |---|---|---|
//! | [`caller_converts`] | of who calls | the highest version that the callee has is used |
//! | [`callee_converts`] | of who answers | one function answers all versions |
//! | [`both_convert`] | of programs that do both | a version is added to both sides at once |
//!
//! Each has a type for every kind of RPC. They are values: a [`Builder`] takes the definition of
//! each version with its conversions, and tells of duplicates and wrong names when it is built;
//! types that do not fit do not compile.
//!
//! A [`ConnectionWithMenu`] knows what its peer answers, and a caller chooses by it at every
//! dispatch. Nothing is sent if there is no common version.
//!
//! # Examples
//!
//! A callee of two versions, and a caller of the older release, which knows only the first:
//!
//! ```
//! use bin_prot::BinProt;
//! use rpc_core::connection::Config;
//! use rpc_core::{Connection, Implementations, Rpc};
//! use rpc_versioned::{ConnectionWithMenu, callee_converts, caller_converts};
//!
//! #[derive(Clone, Debug, BinProt)]
//! struct Query { symbol: String, currency: String }
//!
//! static PRICE_1: Rpc<String, i64> = Rpc::new("price", 1);
//! static PRICE_2: Rpc<Query, i64> = Rpc::new("price", 2);
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let price = callee_converts::Rpc::builder("price")
//!     .version(&PRICE_1, |symbol| Ok(Query { symbol, currency: "USD".into() }), Ok)
//!     .version_from(&PRICE_2)
//!     .build()?;
//! let table = Implementations::builder()
//!     .implementations(price.implement(|(), _version, query: Query| async move {
//!         Ok(100 * i64::try_from(query.symbol.len())?)
//!     }))
//!     .build()?;
//! # let (near, far) = tokio::io::duplex(4096);
//! # let (connection, _serving) = tokio::try_join!(
//! #     Connection::create(near, Config::default()),
//! #     Connection::serve(far, Config::default(), &table, |_| ()),
//! # )?;
//!
//! let price = caller_converts::Rpc::<String, i64>::builder("price")
//!     .version_from(&PRICE_1)
//!     .build()?;
//! let connection = ConnectionWithMenu::request(connection).await?;
//! assert_eq!(price.dispatch(&connection, "ABC".into()).await?, 300);
//! # Ok(())
//! # }
//! ```
//!
//! # Failures
//!
//! A conversion may [fail](convert::Unconvertible), and a panic counts as that. It concerns one
//! value:
//!
//! | What cannot be converted | at the caller | at the callee |
//! |---|---|---|
//! | query, message | the dispatch fails, nothing is sent | *Uncaught_exn*; a message closes the connection |
//! | response | the dispatch fails | *Uncaught_exn* |
//! | a callee's own error, an initial state | the dispatch fails, the stream is closed | *Uncaught_exn* |
//! | an update | an error in its place, the stream goes on | the stream ends with *Uncaught_exn* |
//! | an update for a callback | the stream is closed | |
//! | an update that is written | | `write` fails, the stream goes on |
//!
//! # Preference
//!
//! A caller takes the highest version of one name. One that is made by its `by_preference` takes
//! the first entry that the callee has; entries may have different names, and what was added first
//! is preferred.
//!
//! # Older models
//!
//! When the model of a program changes, the conversions of older versions need not: a finished
//! caller is mapped to the new model, and [included](Builder::include) in the new caller.
//!
//! ```
//! use rpc_core::Rpc;
//! use rpc_versioned::{Converts, caller_converts};
//!
//! static PRICE_1: Rpc<String, i64> = Rpc::new("price", 1);
//! static PRICE_2: Rpc<(String, String), i64> = Rpc::new("price", 2);
//!
//! /// As it was before there were currencies.
//! let older = caller_converts::Rpc::<String, i64>::builder("price").version_from(&PRICE_1).build()?;
//! let price = caller_converts::Rpc::<(String, String), i64>::builder("price")
//!     .version_from(&PRICE_2)
//!     .include(&older.map_query(|(symbol, _currency)| Ok(symbol)))
//!     .build()?;
//! assert_eq!(price.versions(), [1, 2]);
//! # Ok::<(), rpc_versioned::RegistrationError>(())
//! ```
#![forbid(unsafe_code)]
#![warn(clippy::unwrap_used)]

pub mod both_convert;
mod builder;
pub mod callee_converts;
pub mod caller_converts;
mod compatibility;
mod connection_with_menu;
mod conversion;
mod converts;
mod error;
mod family;
mod menu_with_shapes;
mod registered;
mod selection;
mod stream;

pub use builder::{Builder, RegistrationError};
pub use compatibility::{Incompatible, menu_of};
pub use connection_with_menu::{ConnectionWithMenu, MenuRequestError};
pub use conversion::{Conversion, ConversionError};
pub use converts::Converts;
pub use error::CallError;
pub use menu_with_shapes::{MenuWithShapes, SHAPE_MENU_RPC};
pub use registered::Registered;
pub use selection::{NoCommonVersion, SelectionError, highest_common};

/// How a value becomes one of another version.
pub mod convert {
    pub use crate::conversion::{Convert, Unconvertible, into, try_into};
}
