//! Whether two menus mean the same where they name the same.

use thiserror::Error;

use super::{Menu, RpcDigests};
use crate::Description;

/// Why two menus are not known to be consistent (rule V-ME-7).
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum InconsistentMenus {
    /// One of them has no digests.
    #[error("menu missing digests")]
    MissingDigests {
        /// Those of the first menu, by rank; none if it has none.
        first: Option<Vec<RpcDigests>>,
        /// Those of the second.
        second: Option<Vec<RpcDigests>>,
    },
    /// An entry that both have is of unknown types in one of them.
    #[error("menu contains unknown digest: {rpc}")]
    UnknownDigest {
        /// The entry.
        rpc: Description,
        /// What the first menu says of it, and the second.
        digests: Box<(RpcDigests, RpcDigests)>,
    },
    /// An entry that both have is not of the same types.
    #[error("found digest mismatch: {rpc}")]
    Mismatch {
        /// The entry.
        rpc: Description,
        /// What the first menu says of it, and the second.
        digests: Box<(RpcDigests, RpcDigests)>,
    },
}

impl Menu {
    /// Checks that the entries which both menus have are of the same types. Nothing calls it by
    /// itself (rule V-ME-8).
    ///
    /// ```
    /// use bin_prot::BinShape;
    /// use rpc_wire::{Description, Menu, RpcDigests, ShapeDigest};
    ///
    /// let log = Description::new("log", 1);
    /// let digest = |shape: bin_prot::shape::Shape| shape.digest().map(ShapeDigest);
    /// let ours = RpcDigests::OneWay { msg: digest(i64::bin_shape())? };
    /// let theirs = RpcDigests::OneWay { msg: digest(String::bin_shape())? };
    /// let ours = Menu::with_digests([(log.clone(), ours)])?;
    /// let theirs = Menu::with_digests([(log, theirs)])?;
    /// ours.check_consistency(&ours)?;
    /// let error = ours.check_consistency(&theirs).unwrap_err();
    /// assert_eq!(error.to_string(), "found digest mismatch: log version 1");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// The first problem in the order of the menus.
    pub fn check_consistency(&self, other: &Self) -> Result<(), InconsistentMenus> {
        if !self.has_digests || !other.has_digests {
            return Err(InconsistentMenus::MissingDigests {
                first: self.all_digests(),
                second: other.all_digests(),
            });
        }
        for entry in self.entries() {
            let rpc = &entry.description;
            let Some(theirs) = other.digests(rpc.as_ref()) else {
                continue;
            };
            let digests = (entry.digests, theirs);
            let rpc = || rpc.clone();
            match digests {
                (RpcDigests::Unknown, _) | (_, RpcDigests::Unknown) => {
                    return Err(InconsistentMenus::UnknownDigest {
                        rpc: rpc(),
                        digests: Box::new(digests),
                    });
                }
                (ours, theirs) if ours != theirs => {
                    return Err(InconsistentMenus::Mismatch {
                        rpc: rpc(),
                        digests: Box::new(digests),
                    });
                }
                _ => {}
            }
        }
        Ok(())
    }

    fn all_digests(&self) -> Option<Vec<RpcDigests>> {
        let digests = || self.entries.iter().map(|entry| entry.digests).collect();
        self.has_digests.then(digests)
    }
}
