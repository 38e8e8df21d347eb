//! The error of a dispatch together with what it was about: one text that stands alone in a log.

use std::fmt;
use std::sync::Arc;

use bin_prot::Sexp;
use rpc_wire::Description;

use crate::connection::{Closed, Connection};
use crate::error::DispatchError;

/// What went wrong with a dispatch, of which RPC, on which connection: the reference's general
/// error (rules R-ER-10, R-ER-11).
///
/// Its text is a record. Of a closed connection it also says why:
///
/// ```text
/// ((rpc_error(Connection_closed(("EOF or connection closed"(connection_description prices)))))
///  (connection_description prices)(rpc_name quote)(rpc_version 1))
/// ```
///
/// ```
/// use rpc_core::{Connection, DispatchResult, GeneralError, Rpc};
///
/// static ADD: Rpc<(i64, i64), i64> = Rpc::new("add", 1);
///
/// async fn sum(connection: &Connection) -> Result<i64, GeneralError> {
///     ADD.dispatch(connection, &(1, 2)).await.concerning(&ADD, connection)
/// }
/// # let _ = sum;
/// ```
#[derive(Clone, Debug)]
pub struct GeneralError {
    error: DispatchError,
    rpc: Description,
    connection: String,
    /// Why the connection closes, if it did when this was made.
    closed: Option<Arc<Closed>>,
}

impl GeneralError {
    /// What went wrong.
    pub fn error(&self) -> &DispatchError {
        &self.error
    }

    /// The RPC.
    pub fn rpc(&self) -> &Description {
        &self.rpc
    }

    /// The connection's description.
    pub fn connection(&self) -> &str {
        &self.connection
    }

    /// The error as the reference prints it.
    pub fn to_sexp(&self) -> Sexp {
        Sexp::record([
            ("rpc_error", rpc_error(&self.error, self.closed.as_deref())),
            (
                "connection_description",
                Sexp::atom(self.connection.as_str()),
            ),
            ("rpc_name", Sexp::atom(self.rpc.name.clone())),
            ("rpc_version", Sexp::atom(self.rpc.version.to_string())),
        ])
    }
}

impl fmt::Display for GeneralError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.to_sexp().fmt(f)
    }
}

// The text holds the cause, so there is no source that would be told a second time.
impl std::error::Error for GeneralError {}

impl DispatchError {
    /// This error together with what it was about. See [`DispatchResult`] for results.
    pub fn concerning(self, rpc: &impl Described, connection: &Connection) -> GeneralError {
        GeneralError {
            error: self,
            rpc: rpc.describe(),
            connection: connection.description().to_owned(),
            closed: connection.close_reason(),
        }
    }

    /// The error as the reference prints it where nothing is said of RPC and connection, as in
    /// the end of a stream (rule R-ER-12). Of a closed connection it says why, if that is known:
    /// `(Connection_closed (REASON))`, or `(Connection_closed ())`.
    pub fn to_sexp(&self) -> Sexp {
        rpc_error(self, None)
    }
}

/// `closed` is what is known of the connection apart from the error.
fn rpc_error(error: &DispatchError, closed: Option<&Closed>) -> Sexp {
    let DispatchError::ConnectionClosed(error) = error else {
        return error.to_rpc_error().to_sexp();
    };
    let reason = error.reason.as_deref().or(closed);
    let reason = reason.map(|closed| closed.to_info().to_sexp());
    Sexp::list([Sexp::atom("Connection_closed"), Sexp::list(reason)])
}

/// What every dispatch results in, a synchronous one or an awaited one.
pub trait DispatchResult<T>: sealed::Result {
    /// The result with an error that says what it was about.
    ///
    /// # Errors
    /// The same as before.
    fn concerning(self, rpc: &impl Described, connection: &Connection) -> Result<T, GeneralError>;
}

impl<T> DispatchResult<T> for Result<T, DispatchError> {
    fn concerning(self, rpc: &impl Described, connection: &Connection) -> Result<T, GeneralError> {
        self.map_err(|error| error.concerning(rpc, connection))
    }
}

/// Whatever has the name and version of an RPC: a definition of any kind, or just a
/// [`Description`].
pub trait Described: sealed::Definition {}

impl<D: sealed::Definition> Described for D {}

mod sealed {
    use rpc_wire::Description;

    use crate::{DispatchError, ExpertRpc, OneWay, PipeRpc, Rpc, StateRpc};

    #[expect(
        unnameable_types,
        reason = "implemented here only, so that it can change"
    )]
    pub trait Definition {
        fn describe(&self) -> Description;
    }

    #[expect(unnameable_types, reason = "likewise")]
    pub trait Result {}

    impl<T> Result for std::result::Result<T, DispatchError> {}

    impl Definition for Description {
        fn describe(&self) -> Description {
            self.clone()
        }
    }

    impl Definition for ExpertRpc {
        fn describe(&self) -> Description {
            self.description().clone()
        }
    }

    impl<Q, R, C> Definition for Rpc<Q, R, C> {
        fn describe(&self) -> Description {
            self.description()
        }
    }

    impl<Q, C> Definition for OneWay<Q, C> {
        fn describe(&self) -> Description {
            self.description()
        }
    }

    impl<Q, U, E, C> Definition for PipeRpc<Q, U, E, C> {
        fn describe(&self) -> Description {
            self.description()
        }
    }

    impl<Q, T, U, E, C> Definition for StateRpc<Q, T, U, E, C> {
        fn describe(&self) -> Description {
            self.description()
        }
    }
}
