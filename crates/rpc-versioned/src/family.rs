//! A family: all versions of one RPC that one side knows, whatever its kind.

use std::cmp::Ordering;
use std::fmt;
use std::sync::Arc;

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
}

impl<O> Clone for Family<O> {
    fn clone(&self) -> Self {
        Self {
            naming: self.naming,
            entries: self.entries.clone(),
        }
    }
}

impl<O> Family<O> {
    /// The most preferred entry comes first.
    pub(crate) fn new(naming: Naming, entries: Vec<(Registered, O)>) -> Self {
        Self {
            naming,
            entries: entries.into(),
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
    /// Nothing is remembered (rule V-SE-3).
    #[inline]
    pub(crate) fn select(&self, menu: &Arc<Menu>) -> Result<&(Registered, O), SelectionError> {
        let selected = match self.naming {
            Naming::One(name) => self.highest_in(menu, name),
            Naming::Preference => self.entries.iter().find(|(rpc, _)| rpc.is_on(menu)),
        };
        selected.ok_or_else(|| self.nothing_in(menu))
    }

    /// Both sides from the highest version downwards: one look at the menu for the name, and not one
    /// for each version.
    #[inline]
    fn highest_in(&self, menu: &Menu, name: &str) -> Option<&(Registered, O)> {
        let mut ours = self.entries.iter();
        let mut offered = menu.versions(name.as_bytes()).rev();
        let (mut entry, mut version) = (ours.next()?, offered.next()?);
        loop {
            match entry.0.version().cmp(&version) {
                Ordering::Equal => return Some(entry),
                Ordering::Greater => entry = ours.next()?,
                Ordering::Less => version = offered.next()?,
            }
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
