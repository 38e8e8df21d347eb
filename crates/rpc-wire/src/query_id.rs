//! The number that ties a response to its query.

use std::fmt;

use bin_prot::{BinProt, Int63};

/// Chosen by the caller, echoed by the callee (*protocol* §11). Each direction of a connection
/// has its own ids; a peer may choose any OCaml `int`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, BinProt)]
pub struct QueryId(Int63);

impl QueryId {
    /// The id with this number.
    pub const fn new(id: i64) -> Self {
        Self(Int63(id))
    }

    /// The number.
    pub const fn get(self) -> i64 {
        self.0.0
    }
}

impl fmt::Display for QueryId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
