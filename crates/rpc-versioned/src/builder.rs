//! Collecting the versions of a family.

use std::fmt;

use rpc_wire::Description;
use thiserror::Error;

use crate::converts::Converts;
use crate::family::{Family, Naming};
use crate::registered::Registered;
use crate::selection::list;

/// Collects versions for a caller or a callee. Made by its `builder`, which says what `version`
/// takes.
#[must_use = "nothing is registered before `build`"]
pub struct Builder<K: Converts> {
    naming: Naming,
    entries: Vec<(Registered, K::Operation)>,
}

/// Versions that cannot be in one family (rules V-SE-5, V-CE-10).
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{}", describe(.duplicates, .misnamed))]
pub struct RegistrationError {
    /// What is registered more than once, each once, sorted.
    pub duplicates: Vec<Description>,
    /// What has another name than the family.
    pub misnamed: Vec<Description>,
}

fn describe(duplicates: &[Description], misnamed: &[Description]) -> String {
    let problem =
        |what, rpcs: &[Description]| (!rpcs.is_empty()).then(|| format!("{what}: {}", list(rpcs)));
    let problems = [
        problem("multiple RPC registrations", duplicates),
        problem("RPC names don't agree", misnamed),
    ];
    problems
        .into_iter()
        .flatten()
        .collect::<Vec<_>>()
        .join("; ")
}

impl<K: Converts> Builder<K> {
    pub(crate) const fn new(naming: Naming) -> Self {
        Self {
            naming,
            entries: Vec::new(),
        }
    }

    pub(crate) fn with(mut self, rpc: Registered, operation: K::Operation) -> Self {
        self.entries.push((rpc, operation));
        self
    }

    /// Adds all versions of another one, in its order: one whose model was
    /// [mapped](crate#older-models) to this one, for instance.
    pub fn include(mut self, other: &K) -> Self
    where
        K::Operation: Clone,
    {
        self.entries
            .extend(other.family().entries().iter().cloned());
        self
    }

    /// The finished caller or callee.
    ///
    /// # Errors
    /// All versions that were registered more than once, and all whose name is not the family's.
    pub fn build(self) -> Result<K, RegistrationError> {
        let (naming, mut entries) = (self.naming, self.entries);
        let mut rpcs: Vec<_> = entries.iter().map(|(rpc, _)| rpc.description()).collect();
        rpcs.sort_unstable();
        let pairs = rpcs.iter().zip(rpcs.iter().skip(1));
        let duplicates = pairs.filter(|(a, b)| a == b).map(|(a, _)| a.clone());
        let mut duplicates: Vec<_> = duplicates.collect();
        duplicates.dedup();
        let mut misnamed = Vec::new();
        if let Naming::One(name) = naming {
            let others = entries.iter().filter(|(rpc, _)| rpc.name() != name);
            misnamed.extend(others.map(|(rpc, _)| rpc.description()));
            entries.sort_by_key(|(rpc, _)| std::cmp::Reverse(rpc.version()));
        }
        if !duplicates.is_empty() || !misnamed.is_empty() {
            return Err(RegistrationError {
                duplicates,
                misnamed,
            });
        }
        Ok(K::from_family(Family::new(naming, entries)))
    }
}

impl<K: Converts> fmt::Debug for Builder<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list()
            .entries(self.entries.iter().map(|(rpc, _)| rpc))
            .finish()
    }
}
