//! What both sides tell of themselves right after the header, from version 3 (*protocol* §9).
//!
//! These types keep what was sent, an unsorted menu included. [`Menu`](crate::Menu) is the
//! checked and sorted form that a connection keeps.

use bin_prot::{Array, BinProt, OrNull};
use bytes::Bytes;

use crate::{Description, RpcDigests};

/// The first form, sent at versions 3, 4 and 5.
///
/// Nothing at all, in a message: `04 00 00`.
#[derive(Clone, Debug, PartialEq, Eq, BinProt)]
pub struct Metadata {
    /// Opaque bytes by which the peer introduces itself.
    pub identification: OrNull<Bytes>,
    /// Each implementation with its digests, `Unknown` where the sender does not tell.
    pub menu: OrNull<Vec<(Description, RpcDigests)>>,
}

/// The second form, sent from version 6.
///
/// Nothing at all, in a message: `07 00 00`; an empty menu: `07 00 01 00 00`.
#[derive(Clone, Debug, PartialEq, Eq, BinProt)]
pub struct MetadataV2 {
    /// Opaque bytes by which the peer introduces itself.
    pub identification: OrNull<Bytes>,
    /// The menu.
    pub menu: OrNull<MenuV3>,
}

/// The menu inside [`MetadataV2`]: all descriptions, then all digests or none.
#[derive(Clone, Debug, PartialEq, Eq, BinProt)]
pub struct MenuV3 {
    /// What the sender implements, in strictly increasing order.
    pub descriptions: Array<Description>,
    /// The digests, in the same order.
    pub digests: OrNull<Array<RpcDigests>>,
}
