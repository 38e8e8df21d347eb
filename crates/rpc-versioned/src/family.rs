//! A family: all versions of one RPC that one side knows, whatever its kind.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;

use rpc_wire::Menu;

use crate::conversion::Version;
use crate::registered::Registered;
use crate::selection::SelectionError;

/// What a family is called, and how a version of it is chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Naming {
    /// All have this name, and the highest version is used (rule V-SE-1).
    One(&'static str),
    /// Names may differ, and the first one is used (rule V-BA-2).
    Preference,
}

/// The versions with what can be done with each, in the order in which they are preferred.
#[expect(
    unnameable_types,
    reason = "part of a sealed trait, so that it can change"
)]
pub struct Family<O> {
    naming: Naming,
    entries: Arc<[(Registered, O)]>,
    hint: Arc<Hint>,
}

/// Where the last selection ended: which entry was on the menu, and at which rank. It saves the
/// search if that is where the next one ends, too, which is looked up and not believed: menus
/// differ between connections.
#[derive(Default)]
struct Hint(AtomicU64);

impl Hint {
    /// Entry and rank.
    fn get(&self) -> (usize, usize) {
        let both = self.0.load(Relaxed);
        // Each is half of it.
        ((both >> 32) as usize, both as u32 as usize)
    }

    fn set(&self, entry: usize, rank: usize) {
        if let (Ok(entry), Ok(rank)) = (u32::try_from(entry), u32::try_from(rank)) {
            let both = u64::from(entry) << 32 | u64::from(rank);
            self.0.store(both, Relaxed);
        }
    }
}

impl<O> Clone for Family<O> {
    fn clone(&self) -> Self {
        Self {
            naming: self.naming,
            entries: self.entries.clone(),
            hint: self.hint.clone(),
        }
    }
}

impl<O> Family<O> {
    /// The most preferred entry comes first.
    pub(crate) fn new(naming: Naming, entries: Vec<(Registered, O)>) -> Self {
        Self {
            naming,
            entries: entries.into(),
            hint: Arc::default(),
        }
    }

    pub(crate) fn naming(&self) -> Naming {
        self.naming
    }

    pub(crate) fn entries(&self) -> &[(Registered, O)] {
        &self.entries
    }

    pub(crate) fn rpcs(&self) -> impl ExactSizeIterator<Item = &Registered> + Clone {
        self.entries.iter().map(|(rpc, _)| rpc)
    }

    pub(crate) fn versions(&self) -> Vec<i64> {
        let mut versions: Vec<_> = self.rpcs().map(Registered::version).collect();
        versions.sort_unstable();
        versions.dedup();
        versions
    }

    /// The version to use with a peer that has this menu. Does not allocate, unless there is none.
    /// Every dispatch selects anew (rule V-SE-3).
    #[inline]
    pub(crate) fn select(&self, menu: &Arc<Menu>) -> Result<&(Registered, O), SelectionError> {
        match self.hinted(menu) {
            Some(entry) => Ok(entry),
            None => self.search(menu),
        }
    }

    /// What was selected before, if it would be selected again: it is where it was, and nothing that
    /// is preferred to it is on the menu.
    #[inline]
    fn hinted(&self, menu: &Menu) -> Option<&(Registered, O)> {
        let (index, rank) = self.hint.get();
        let entry = self.entries.get(index)?;
        if !menu.is_at(rank, entry.0.described()) {
            return None;
        }
        // The first of ours; or, of one name, the last of the menu's.
        let is_best = index == 0
            || match self.naming {
                Naming::One(name) => {
                    let next = menu.entries().get(rank + 1);
                    next.is_none_or(|next| next.description.name.as_bytes() != name.as_bytes())
                }
                Naming::Preference => false,
            };
        is_best.then_some(entry)
    }

    fn search(&self, menu: &Arc<Menu>) -> Result<&(Registered, O), SelectionError> {
        let ranks = self
            .entries
            .iter()
            .map(|(rpc, _)| menu.rank(rpc.described()));
        match ranks
            .enumerate()
            .find_map(|(index, rank)| Some((index, rank?)))
        {
            Some((index, rank)) => {
                self.hint.set(index, rank);
                self.entries.get(index).ok_or_else(|| self.nothing_in(menu))
            }
            None => Err(self.nothing_in(menu)),
        }
    }

    #[cold]
    fn nothing_in(&self, menu: &Arc<Menu>) -> SelectionError {
        let name = match self.naming {
            Naming::One(name) => name,
            Naming::Preference => {
                return SelectionError::NoSupportedRpc {
                    caller: self.rpcs().map(Registered::description).collect(),
                    callee_menu: menu.clone(),
                };
            }
        };
        let caller_versions = self.versions();
        let callee_versions: Vec<_> = menu.versions(name.as_bytes()).collect();
        if callee_versions.is_empty() {
            SelectionError::UnknownRpc {
                name,
                caller_versions,
                callee_menu: menu.clone(),
            }
        } else {
            SelectionError::NoCommonVersion {
                name,
                caller_versions,
                callee_versions,
            }
        }
    }

    /// The same versions, with something else to be done with each.
    pub(crate) fn map<P>(&self, change: impl Fn(Version, &O) -> P) -> Family<P> {
        let change = |(rpc, operation): &(Registered, O)| (*rpc, change(rpc.named(), operation));
        Family {
            naming: self.naming,
            entries: self.entries.iter().map(change).collect(),
            hint: Arc::default(),
        }
    }

    pub(crate) fn fmt(&self, kind: &str, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(kind)?;
        f.debug_list().entries(self.rpcs()).finish()
    }
}

impl<O> fmt::Debug for Family<O> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.fmt("", f)
    }
}

#[cfg(test)]
mod tests {
    use proptest::collection::{btree_set, vec};
    use proptest::prelude::*;
    use rpc_core::Rpc;
    use rpc_wire::Description;

    use super::*;

    fn family(naming: Naming, versions: impl IntoIterator<Item = i64>) -> Family<()> {
        let entry = |version| (Registered::plain(&Rpc::<(), ()>::new("price", version)), ());
        Family::new(naming, versions.into_iter().map(entry).collect())
    }

    proptest! {
        /// V-SE-1, V-SE-3, V-BA-2: whatever was selected before, and for whichever menu.
        #[test]
        fn selection_is_that_of_a_plain_search(
            ours in btree_set(0_i64..6, 0..5),
            by_preference: bool,
            menus in vec(btree_set(0_i64..6, 0..5), 1..4),
            neighbours in vec(any::<bool>(), 2),
            turns in vec(any::<prop::sample::Index>(), 0..12),
        ) {
            // Most preferred first; of a preference, any order will do.
            let ours: Vec<_> = if by_preference {
                ours.into_iter().collect()
            } else {
                ours.into_iter().rev().collect()
            };
            let naming = if by_preference { Naming::Preference } else { Naming::One("price") };
            let family = family(naming, ours.iter().copied());
            let others = ["pric", "prices"].into_iter().zip(neighbours);
            let others: Vec<_> = others
                .filter(|(_, there)| *there)
                .map(|(name, _)| Description::new(name, 3))
                .collect();
            let menus: Vec<_> = menus
                .into_iter()
                .map(|versions| {
                    let prices = versions.iter().map(|version| Description::new("price", *version));
                    let menu = Menu::new(prices.chain(others.iter().cloned())).unwrap();
                    (Arc::new(menu), versions)
                })
                .collect();
            for turn in turns {
                let (menu, versions) = turn.get(&menus);
                let expected = ours.iter().find(|version| versions.contains(version));
                let selected = family.select(menu).ok().map(|(rpc, ())| rpc.version());
                prop_assert_eq!(selected, expected.copied());
            }
        }
    }
}
