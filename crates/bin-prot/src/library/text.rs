//! Strings with a meaning.

use crate::{BinProt, ByteString};

/// Core's `Uuid`: its text. As in the reference, reading does not check it.
///
/// ```text
/// offset  width  meaning
///      0  1      24
///      1  36     the text
///
/// 24 35 62 63 …    5bc29e13-1c6f-4b6d-b431-3befb256ebda
/// ```
///
/// ```
/// use bin_prot::library::Uuid;
/// use bin_prot::to_vec;
///
/// let bytes = to_vec(&Uuid("5bc29e13-1c6f-4b6d-b431-3befb256ebda".into()))?;
/// assert_eq!((bytes.len(), &bytes[..4]), (37, &b"\x245bc"[..]));
/// # Ok::<(), bin_prot::WriteError>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, BinProt)]
pub struct Uuid(pub ByteString);

/// A string that is UTF-8. Others are refused when it is read.
///
/// ```text
/// offset  width  meaning
///      0  1 to 9 N, a nat0
///      …  N      the text
///
/// 03  e2 9c 93    "✓"
/// ```
///
/// ```
/// use bin_prot::library::Utf8;
/// use bin_prot::to_vec;
///
/// assert_eq!(to_vec(&Utf8("✓".into()))?, [3, 0xe2, 0x9c, 0x93]);
/// # Ok::<(), bin_prot::WriteError>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, BinProt)]
#[bin_prot(annotate = "5bc29e13-1c6f-4b6d-b431-3befb256ebda")]
pub struct Utf8(pub String);

/// Core's `Host_and_port`.
///
/// ```text
/// offset  width  meaning
///      0  …      the host, a string
///      …  1 to 9 the port, an int
///
/// 04 68 6f 73 74  fe 90 1f    host:8080
/// ```
///
/// ```
/// use bin_prot::library::HostAndPort;
/// use bin_prot::to_vec;
///
/// assert_eq!(to_vec(&HostAndPort("host".into(), 8080))?, *b"\x04host\xfe\x90\x1f");
/// # Ok::<(), bin_prot::WriteError>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, BinProt)]
pub struct HostAndPort(pub ByteString, pub i64);
