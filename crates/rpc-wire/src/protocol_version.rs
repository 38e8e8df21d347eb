//! The wire versions, and what begins where.
//!
//! This is the only place that compares version numbers; everything above asks for a feature
//! (*protocol* §3).

use std::fmt;

/// A negotiated version of the wire protocol, 1 to 11 (*protocol* §3).
///
/// It selects what is *sent*; every message is understood at every version.
///
/// | From | There is |
/// |---|---|
/// | 1 | heartbeat, query, response, errors 0 to 5 |
/// | 2 | metadata of queries: one text |
/// | 3 | connection metadata, validation; errors 6 to 8 |
/// | 4 | the close reason |
/// | 5 | error 9 |
/// | 6 | connection metadata in its second form |
/// | 7 | the menu index of responses |
/// | 8 | metadata of queries under keys |
/// | 9 | close started |
/// | 10 | the structured close reason |
/// | 11 | queries by rank |
///
/// ```
/// use rpc_wire::ProtocolVersion;
///
/// let version = ProtocolVersion::new(7).expect("1 to 11");
/// assert!(version.has_menu_index() && !version.has_keyed_query_metadata());
/// assert_eq!(ProtocolVersion::new(12), None);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ProtocolVersion(u8);

impl ProtocolVersion {
    /// The oldest version.
    pub const MIN: Self = Self(1);
    /// The newest version.
    pub const MAX: Self = Self(11);

    /// All versions, oldest first.
    pub fn all() -> impl DoubleEndedIterator<Item = Self> {
        (Self::MIN.0..=Self::MAX.0).map(Self)
    }

    /// The version with this number, if there is one.
    pub fn new(number: i64) -> Option<Self> {
        let number = u8::try_from(number).ok()?;
        (Self::MIN.0..=Self::MAX.0)
            .contains(&number)
            .then_some(Self(number))
    }

    /// The number, 1 to 11.
    pub fn number(self) -> u8 {
        self.0
    }

    /// Queries carry metadata: one text, from version 2.
    pub fn has_query_metadata(self) -> bool {
        self.0 >= 2
    }

    /// Query metadata is a list with keys: from version 8.
    pub fn has_keyed_query_metadata(self) -> bool {
        self.0 >= 8
    }

    /// Both sides send identification and menu after the header: from version 3.
    pub fn has_connection_metadata(self) -> bool {
        self.0 >= 3
    }

    /// Connection metadata is sent in its second form: from version 6.
    pub fn has_metadata_v2(self) -> bool {
        self.0 >= 6
    }

    /// `Authorization_failure`, `Message_too_big` and `Unknown` exist: from version 3.
    pub fn has_errors_of_version_3(self) -> bool {
        self.0 >= 3
    }

    /// `Lift_error` exists: from version 5.
    pub fn has_lift_error(self) -> bool {
        self.0 >= 5
    }

    /// A close reason can be sent: from version 4.
    pub fn has_close_reason(self) -> bool {
        self.0 >= 4
    }

    /// The close reason is sent in its structured form: from version 10.
    pub fn has_structured_close_reason(self) -> bool {
        self.0 >= 10
    }

    /// Responses name the implementation's menu index: from version 7.
    pub fn has_menu_index(self) -> bool {
        self.0 >= 7
    }

    /// A graceful close can be announced: from version 9.
    pub fn has_close_started(self) -> bool {
        self.0 >= 9
    }

    /// Queries may name the RPC by its rank in the callee's menu: from version 11.
    pub fn has_query_by_rank(self) -> bool {
        self.0 >= 11
    }
}

impl fmt::Display for ProtocolVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
