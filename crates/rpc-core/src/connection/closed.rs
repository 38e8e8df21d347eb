//! Who closed a connection, and why.

use std::fmt;

use bin_prot::{Info, Sexp};
use rpc_wire::CloseReason;

/// Which side's decision ended a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ClosedBy {
    /// This side's.
    Local,
    /// The peer's; it told so.
    Peer,
    /// Nobody's that is known: the stream ended, or made no sense.
    Unknown,
}

/// How a connection ended (rules C-RS-1, C-RS-2).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Closed {
    /// Who closed it.
    pub by: ClosedBy,
    /// Why.
    pub reason: CloseReason,
    /// The connection's description on this side.
    pub connection: String,
}

impl Closed {
    /// The end as one value: the reason with a prefix that says who, and the description.
    pub fn to_info(&self) -> Info {
        let body = self.reason.to_info();
        let body = match self.by {
            ClosedBy::Local => body.tag("Connection closed by local side:"),
            ClosedBy::Peer => body.tag("Connection closed by remote side:"),
            ClosedBy::Unknown => body,
        };
        let description = Info::Sexp(Sexp::list([
            Sexp::atom("connection_description"),
            Sexp::atom(self.connection.as_str()),
        ]));
        let bodies = match body {
            Info::OfList(_, bodies) => bodies,
            body => vec![body],
        };
        Info::OfList(None, bodies.into_iter().chain([description]).collect())
    }
}

impl fmt::Display for Closed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.to_info().fmt(f)
    }
}
