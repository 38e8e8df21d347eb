//! The menu that a connection keeps: what one side implements, sorted.

mod consistency;
mod text;

use std::sync::Arc;

use bin_prot::shape::Digest;
use bin_prot::{Array, BinProt, OrNull};
use thiserror::Error;

use crate::{Description, DescriptionRef, MenuV3};

pub use consistency::InconsistentMenus;

/// The digest of a shape as menus carry it.
///
/// ```text
/// offset  width  meaning
///      0  16     the digest
///
/// 69 8c fa 40 93 fe 5e 51 52 38 42 d3 7b 92 ae ac    of int
/// ```
///
/// ```
/// use bin_prot::BinShape;
/// use rpc_wire::ShapeDigest;
///
/// let digest = ShapeDigest(i64::bin_shape().digest()?);
/// assert_eq!(bin_prot::to_vec(&digest)?[..4], [0x69, 0x8c, 0xfa, 0x40]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, BinProt)]
#[bin_prot(annotate = "d8669bfc-1cdf-11ee-9283-aa42dc4c5cc4")]
pub struct ShapeDigest(pub Digest);

/// The kind of an RPC and the digests of its types (*protocol* §9.1, *shapes* §11).
///
/// ```text
/// offset  width   meaning
///      0  1       00: plain; 01: one-way; 02: pipe or state; 03: not told
///      1  16 each plain: query, response; one-way: message;
///                 pipe or state: query, initial response, update, error
///
/// 03    not told
/// ```
///
/// ```
/// use bin_prot::BinShape;
/// use rpc_wire::{RpcDigests, ShapeDigest};
///
/// let msg = ShapeDigest(i64::bin_shape().digest()?);
/// let bytes = bin_prot::to_vec(&RpcDigests::OneWay { msg })?;
/// assert_eq!((bytes.len(), &bytes[..3]), (17, &[0x01, 0x69, 0x8c][..]));
/// assert_eq!(bin_prot::to_vec(&RpcDigests::Unknown)?, [0x03]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, BinProt)]
pub enum RpcDigests {
    /// A plain RPC.
    Rpc {
        /// Of the query.
        query: ShapeDigest,
        /// Of the response.
        response: ShapeDigest,
    },
    /// A one-way RPC.
    OneWay {
        /// Of the message.
        msg: ShapeDigest,
    },
    /// A pipe or state RPC.
    StreamingRpc {
        /// Of the query.
        query: ShapeDigest,
        /// Of the initial state; of unit for a pipe RPC.
        initial_response: ShapeDigest,
        /// Of an update.
        update_response: ShapeDigest,
        /// Of the error that the callee may answer with.
        error: ShapeDigest,
    },
    /// Not told.
    Unknown,
}

impl RpcDigests {
    /// Whether the RPC is answered with a stream, if they tell.
    pub(crate) fn is_stream(&self) -> Option<bool> {
        match self {
            Self::Rpc { .. } | Self::OneWay { .. } => Some(false),
            Self::StreamingRpc { .. } => Some(true),
            Self::Unknown => None,
        }
    }
}

/// One RPC on a menu.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MenuEntry {
    /// Its name and version.
    pub description: Description,
    /// Its kind and digests.
    pub digests: RpcDigests,
}

/// Why a menu is none.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum MenuError {
    /// The same name and version twice.
    #[error("{0} is listed twice")]
    Duplicate(Description),
    /// The second form has to come in order; ranks depend on it.
    #[error("{0} is out of order")]
    Unsorted(Description),
    /// The second form must have as many digests as descriptions, or none.
    #[error("{descriptions} descriptions, but {digests} digests")]
    CountMismatch {
        /// Number of descriptions.
        descriptions: usize,
        /// Number of digests.
        digests: usize,
    },
}

/// What one side of a connection implements, sorted by name (bytewise) and version.
///
/// An entry's position is its *rank*, by which queries name it from version 11.
///
/// ```
/// use rpc_wire::{Description, Menu};
///
/// let menu = Menu::new([Description::new("sum", 1), Description::new("echo", 2)])?;
/// let sum = Description::new("sum", 1);
/// assert_eq!(menu.rank(sum.as_ref()), Some(1));
/// // The second wire form: count, names and versions, and that there are no digests.
/// assert_eq!(bin_prot::to_vec(&menu.to_v3())?, b"\x02\x04echo\x02\x03sum\x01\x00");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// Never changes, and is cheap to clone: every connection of a server has offered the same one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Menu {
    entries: Arc<[MenuEntry]>,
    has_digests: bool,
}

impl Menu {
    /// A menu of these RPCs, in any order.
    ///
    /// # Errors
    /// [`MenuError::Duplicate`] (rule C-CR-5).
    pub fn new(descriptions: impl IntoIterator<Item = Description>) -> Result<Self, MenuError> {
        let entries = descriptions.into_iter().map(|description| MenuEntry {
            description,
            digests: RpcDigests::Unknown,
        });
        Self::sorted(entries.collect(), false)
    }

    /// A menu of these RPCs with their digests, in any order: also what a peer sent in the first
    /// form (rule C-HS-8).
    ///
    /// # Errors
    /// [`MenuError::Duplicate`].
    pub fn with_digests(
        entries: impl IntoIterator<Item = (Description, RpcDigests)>,
    ) -> Result<Self, MenuError> {
        let entries = entries.into_iter().map(|(description, digests)| MenuEntry {
            description,
            digests,
        });
        Self::sorted(entries.collect(), true)
    }

    fn sorted(mut entries: Vec<MenuEntry>, has_digests: bool) -> Result<Self, MenuError> {
        entries.sort_unstable_by(|a, b| a.description.cmp(&b.description));
        let duplicate = entries
            .iter()
            .zip(entries.iter().skip(1))
            .find_map(|(a, b)| (a.description == b.description).then(|| a.description.clone()));
        match duplicate {
            Some(description) => Err(MenuError::Duplicate(description)),
            None => Ok(Self {
                entries: entries.into(),
                has_digests,
            }),
        }
    }

    /// What a peer sent in the second form. Its order is checked, not mended: the peer counts
    /// ranks by it (decision 20).
    ///
    /// # Errors
    /// The entries do not strictly increase, or the counts differ.
    pub fn from_v3(menu: MenuV3) -> Result<Self, MenuError> {
        let descriptions = menu.descriptions.0;
        for (a, b) in descriptions.iter().zip(descriptions.iter().skip(1)) {
            match a.cmp(b) {
                std::cmp::Ordering::Less => {}
                std::cmp::Ordering::Equal => return Err(MenuError::Duplicate(b.clone())),
                std::cmp::Ordering::Greater => return Err(MenuError::Unsorted(b.clone())),
            }
        }
        let Some(Array(digests)) = menu.digests.0 else {
            return Self::new(descriptions);
        };
        if descriptions.len() != digests.len() {
            return Err(MenuError::CountMismatch {
                descriptions: descriptions.len(),
                digests: digests.len(),
            });
        }
        Self::with_digests(descriptions.into_iter().zip(digests))
    }

    /// The first wire form: every entry with its digests, `Unknown` where there are none
    /// (rule C-HS-6).
    pub fn to_v2(&self) -> Vec<(Description, RpcDigests)> {
        let pair = |entry: &MenuEntry| (entry.description.clone(), entry.digests);
        self.entries.iter().map(pair).collect()
    }

    /// The second wire form.
    pub fn to_v3(&self) -> MenuV3 {
        let digests = || self.entries.iter().map(|entry| entry.digests).collect();
        MenuV3 {
            descriptions: self.descriptions().cloned().collect(),
            digests: OrNull(self.has_digests.then(digests)),
        }
    }

    /// The entries, by rank.
    pub fn entries(&self) -> &[MenuEntry] {
        &self.entries
    }

    /// The names and versions, by rank.
    pub fn descriptions(&self) -> impl ExactSizeIterator<Item = &Description> {
        self.entries.iter().map(|entry| &entry.description)
    }

    /// Whether the sender provided digests.
    pub fn has_digests(&self) -> bool {
        self.has_digests
    }

    /// The position of an RPC.
    pub fn rank(&self, rpc: DescriptionRef<'_>) -> Option<usize> {
        self.entries
            .binary_search_by(|entry| entry.description.as_ref().cmp(&rpc))
            .ok()
    }

    /// Whether an RPC is listed.
    pub fn contains(&self, rpc: DescriptionRef<'_>) -> bool {
        self.rank(rpc).is_some()
    }

    /// The kind and the digests of an RPC; `Unknown` if the menu has no digests, `None` if it does not
    /// list the RPC (rule V-ME-2).
    pub fn digests(&self, rpc: DescriptionRef<'_>) -> Option<RpcDigests> {
        let entry = self.entries.get(self.rank(rpc)?)?;
        Some(entry.digests)
    }

    /// Whether any version of a name is listed.
    pub fn has_name(&self, name: &[u8]) -> bool {
        self.versions(name).next().is_some()
    }

    /// Whether this RPC is at this position.
    #[inline]
    pub fn is_at(&self, rank: usize, rpc: DescriptionRef<'_>) -> bool {
        self.entries.get(rank).is_some_and(|entry| {
            let Description { name, version } = &entry.description;
            *version == rpc.version && are_same(name.as_bytes(), rpc.name)
        })
    }

    /// The versions of a name, ascending.
    pub fn versions(&self, name: &[u8]) -> impl DoubleEndedIterator<Item = i64> {
        let start = self
            .entries
            .partition_point(|entry| entry.description.name.as_bytes() < name);
        let entries = self.entries.get(start..).unwrap_or_default();
        let count = entries.partition_point(|entry| entry.description.name.as_bytes() == name);
        let entries = entries.get(..count).unwrap_or_default();
        entries.iter().map(|entry| entry.description.version)
    }
}

/// Whether two names are the same: most have a length at which no call is needed for that, but two
/// pieces, which may overlap.
#[inline]
fn are_same(a: &[u8], b: &[u8]) -> bool {
    a.len() == b.len()
        && match a.len() {
            4..=7 => are_same_in_pieces::<4>(a, b),
            8..=16 => are_same_in_pieces::<8>(a, b),
            _ => a == b,
        }
}

#[inline]
fn are_same_in_pieces<const PIECE: usize>(a: &[u8], b: &[u8]) -> bool {
    a.first_chunk::<PIECE>() == b.first_chunk() && a.last_chunk::<PIECE>() == b.last_chunk()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rpc(name: &str, version: i64) -> Description {
        Description::new(name, version)
    }

    #[test]
    fn ranks_follow_name_then_version() {
        let menu = Menu::new([rpc("b", 1), rpc("a", 10), rpc("a", 9), rpc("B", 1)]).unwrap();
        let order = [rpc("B", 1), rpc("a", 9), rpc("a", 10), rpc("b", 1)];
        assert!(menu.descriptions().eq(&order));
        for (rank, description) in order.iter().enumerate() {
            assert_eq!(menu.rank(description.as_ref()), Some(rank));
        }
        assert_eq!(menu.rank(rpc("a", 11).as_ref()), None);
        assert!(menu.versions(b"a").eq([9, 10]));
        assert_eq!(menu.versions(b"aa").count(), 0);
    }

    #[test]
    fn rpc_is_where_it_is_and_nowhere_else() {
        for length in 0..40 {
            let name = "abcdefghijklmnopqrstuvwxyz0123456789ABCDEF"[..length].to_owned();
            let menu = Menu::new([rpc(&name, 3)]).unwrap();
            let is_at = |rank, name: &str, version| menu.is_at(rank, rpc(name, version).as_ref());
            assert!(is_at(0, &name, 3));
            assert!(!is_at(1, &name, 3));
            assert!(!is_at(0, &name, 4));
            assert!(!is_at(0, &format!("{name}x"), 3));
            for at in 0..length {
                let mut other = name.clone();
                other.replace_range(at..=at, "!");
                assert!(!is_at(0, &other, 3), "{other}");
            }
        }
    }

    /// C-CR-5.
    #[test]
    fn duplicate_is_refused() {
        let error = Menu::new([rpc("a", 1), rpc("b", 1), rpc("a", 1)]).unwrap_err();
        assert_eq!(error, MenuError::Duplicate(rpc("a", 1)));
    }

    /// Decision 20.
    #[test]
    fn second_form_has_to_be_in_order_and_complete() {
        let menu = |descriptions: Vec<Description>, digests: Option<usize>| MenuV3 {
            descriptions: descriptions.into(),
            digests: OrNull(digests.map(|n| vec![RpcDigests::Unknown; n].into())),
        };
        let sorted = vec![rpc("a", 1), rpc("a", 2)];
        assert!(Menu::from_v3(menu(sorted.clone(), None)).is_ok());
        assert!(Menu::from_v3(menu(sorted.clone(), Some(2))).is_ok());
        assert_eq!(
            Menu::from_v3(menu(sorted, Some(1))),
            Err(MenuError::CountMismatch {
                descriptions: 2,
                digests: 1
            })
        );
        assert_eq!(
            Menu::from_v3(menu(vec![rpc("a", 2), rpc("a", 1)], None)),
            Err(MenuError::Unsorted(rpc("a", 1)))
        );
        assert_eq!(
            Menu::from_v3(menu(vec![rpc("a", 2), rpc("a", 2)], None)),
            Err(MenuError::Duplicate(rpc("a", 2)))
        );
    }
}
