//! What both sides tell of themselves right after the header, from version 3 (*protocol* §9).
//!
//! These types keep what was sent, an unsorted menu included. [`Menu`](crate::Menu) is the
//! checked and sorted form that a connection keeps.

use bin_prot::{Array, BinProt, OrNull};
use bytes::Bytes;

use crate::{Description, RpcDigests};

/// Connection metadata in its first form, sent at versions 3, 4 and 5 (*protocol* §9.1).
///
/// ```text
/// offset  width  meaning, behind the tag 04
///      0  …      identification, a bigstring or_null
///      …  …      menu, a list or_null: N, a nat0, then N times name ‖ version ‖ digests
///
/// 00  00                                nothing at all
/// 01 02 6d 65  01 01 04 65 63 68 6f 01 03    "me"; a menu of echo 1, its digests not told
/// ```
///
/// ```
/// use bin_prot::OrNull;
/// use rpc_wire::{Description, Metadata, RpcDigests};
///
/// let bytes = b"\x01\x02me\x01\x01\x04echo\x01\x03";
/// let metadata: Metadata = bin_prot::from_slice(bytes)?;
/// let echo = (Description::new("echo", 1), RpcDigests::Unknown);
/// assert_eq!(metadata.menu, OrNull(Some(vec![echo])));
/// assert_eq!(bin_prot::to_vec(&metadata)?, bytes);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, BinProt)]
pub struct Metadata {
    /// Opaque bytes by which the peer introduces itself.
    pub identification: OrNull<Bytes>,
    /// Each implementation with its digests, `Unknown` where the sender does not tell.
    pub menu: OrNull<Vec<(Description, RpcDigests)>>,
}

/// Connection metadata in its second form, sent from version 6 (*protocol* §9.1).
///
/// ```text
/// offset  width  meaning, behind the tag 07
///      0  …      identification, a bigstring or_null
///      …  …      menu, a MenuV3 or_null
///
/// 00  00                                   nothing at all
/// 00  01 00 00                             an empty menu
/// 01 02 6d 65  01 01 04 65 63 68 6f 01 00  "me"; a menu of echo 1 without digests
/// ```
///
/// ```
/// use rpc_wire::handshake::PeerMetadata;
/// use rpc_wire::{Message, MetadataV2};
///
/// let body = b"\x07\x01\x02me\x01\x01\x04echo\x01\x00";
/// let Message::MetadataV2(metadata) = Message::decode(body)? else { unreachable!() };
/// assert_eq!(bin_prot::to_vec(&metadata)?, body[1..]);
///
/// // Checked and understood, as a connection keeps it.
/// let peer = PeerMetadata::decode(body)?;
/// assert_eq!(peer.menu.expect("a menu").versions(b"echo").collect::<Vec<_>>(), [1]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, BinProt)]
pub struct MetadataV2 {
    /// Opaque bytes by which the peer introduces itself.
    pub identification: OrNull<Bytes>,
    /// The menu.
    pub menu: OrNull<MenuV3>,
}

/// The menu inside [`MetadataV2`]: all descriptions, then all digests or none (*protocol* §9.1).
///
/// ```text
/// offset  width       meaning
///      0  1, 3, 5, 9  N, a nat0
///                     then
///         …           N times name ‖ version
///         1           00: no digests; 01: these follow
///         1, 3, 5, 9  N again
///         …           N times an RpcDigests
///
/// 01  04 65 63 68 6f 01  00    echo 1, without digests
/// ```
///
/// ```
/// use rpc_wire::{Menu, MenuV3};
///
/// let menu: MenuV3 = bin_prot::from_slice(b"\x01\x04echo\x01\x00")?;
/// let menu = Menu::from_v3(menu)?;
/// assert!(!menu.has_digests());
/// assert_eq!(bin_prot::to_vec(&menu.to_v3())?, b"\x01\x04echo\x01\x00");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, BinProt)]
pub struct MenuV3 {
    /// What the sender implements, in strictly increasing order.
    pub descriptions: Array<Description>,
    /// The digests, in the same order.
    pub digests: OrNull<Array<RpcDigests>>,
}
