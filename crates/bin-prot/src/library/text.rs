//! Strings with a meaning.
//!
//! ```text
//! 24  then 36 characters            Uuid
//! 04 68 6f 73 74  fe 90 1f          HostAndPort: "host", 8080
//! ```
//!
//! ```
//! use bin_prot::library::HostAndPort;
//! use bin_prot::to_vec;
//!
//! let place = HostAndPort("host".into(), 8080);
//! assert_eq!(to_vec(&place)?, [4, b'h', b'o', b's', b't', 0xfe, 0x90, 0x1f]);
//! # Ok::<(), bin_prot::WriteError>(())
//! ```

use crate::{BinProt, ByteString};

/// Core's `Uuid`: its text. As in the reference, reading does not check it.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, BinProt)]
pub struct Uuid(pub ByteString);

/// A string that is UTF-8.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, BinProt)]
#[bin_prot(annotate = "5bc29e13-1c6f-4b6d-b431-3befb256ebda")]
pub struct Utf8(pub String);

/// Core's `Host_and_port`.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, BinProt)]
pub struct HostAndPort(pub ByteString, pub i64);
