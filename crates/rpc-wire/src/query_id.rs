//! The number that ties a response to its query.

use std::fmt;

use bin_prot::{BinProt, Int63};

/// The number that ties a response to its query (*protocol* §11).
///
/// Chosen by the caller, echoed by the callee. Each direction of a connection has its own ids; a
/// peer may choose any OCaml `int`.
///
/// ```text
/// offset  width   meaning
///      0  1 to 9  the id, an int
///
/// fe 2c 01    300
/// ff ff       −1
/// ```
///
/// ```
/// use rpc_wire::QueryId;
///
/// assert_eq!(bin_prot::to_vec(&QueryId::new(300))?, [0xfe, 0x2c, 0x01]);
/// assert_eq!(bin_prot::to_vec(&QueryId::new(-1))?, [0xff, 0xff]);
/// # Ok::<(), bin_prot::WriteError>(())
/// ```
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
