//! What an RPC is called: name and version.

use std::fmt;

use bin_prot::{BinProt, BinRead, BinWrite, ByteString};

/// Name and version of an RPC.
///
/// Ordered by name bytewise, then by version: the order of a menu.
///
/// ```text
/// offset  width   meaning
///      0  …       the name, a string
///      …  1 to 9  the version, an int
///
/// 04 65 63 68 6f  01    echo 1
/// ```
///
/// ```
/// use rpc_wire::Description;
///
/// assert_eq!(bin_prot::to_vec(&Description::new("echo", 1))?, b"\x04echo\x01");
/// # Ok::<(), bin_prot::WriteError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, BinProt)]
pub struct Description {
    /// The name: any bytes, though people choose text.
    pub name: ByteString,
    /// The version: any OCaml `int`.
    pub version: i64,
}

impl Description {
    /// The description of version `version` of `name`.
    pub fn new(name: impl Into<ByteString>, version: i64) -> Self {
        Self {
            name: name.into(),
            version,
        }
    }

    /// The same, borrowed.
    pub fn as_ref(&self) -> DescriptionRef<'_> {
        DescriptionRef {
            name: self.name.as_bytes(),
            version: self.version,
        }
    }
}

impl fmt::Display for Description {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} version {}", self.name, self.version)
    }
}

/// A [`Description`] that borrows its name, from a frame for instance: the same bytes.
///
/// ```
/// use rpc_wire::DescriptionRef;
///
/// let rpc: DescriptionRef<'_> = bin_prot::from_slice(b"\x04echo\x01")?;
/// assert_eq!((rpc.name, rpc.version), (&b"echo"[..], 1));
/// # Ok::<(), bin_prot::ReadError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, BinRead, BinWrite)]
pub struct DescriptionRef<'a> {
    /// The name.
    pub name: &'a [u8],
    /// The version.
    pub version: i64,
}

impl DescriptionRef<'_> {
    /// An owned copy.
    pub fn to_description(self) -> Description {
        Description::new(self.name, self.version)
    }
}

impl fmt::Display for DescriptionRef<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.to_description().fmt(f)
    }
}
