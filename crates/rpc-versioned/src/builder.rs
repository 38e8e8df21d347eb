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
///
/// # Types
///
/// They are checked where a version is added:
///
/// ```
/// use rpc_core::Rpc;
/// use rpc_versioned::{caller_converts, callee_converts};
///
/// /// The model.
/// struct Query { symbol: String }
///
/// static PRICE_1: Rpc<String, i64> = Rpc::new("price", 1);
///
/// let caller = caller_converts::Rpc::<Query, i64>::builder("price")
///     .version(&PRICE_1, |query: Query| Ok(query.symbol), Ok);
/// let callee = callee_converts::Rpc::<(), Query, i64>::builder("price")
///     .version(&PRICE_1, |symbol: String| Ok(Query { symbol }), Ok);
/// # let _ = (caller, callee);
/// ```
///
/// Conversions of the other direction do not compile,
///
/// ```compile_fail,E0631
/// # use rpc_core::Rpc;
/// # use rpc_versioned::{caller_converts, callee_converts};
/// # struct Query { symbol: String }
/// # static PRICE_1: Rpc<String, i64> = Rpc::new("price", 1);
/// let callee = callee_converts::Rpc::<(), Query, i64>::builder("price")
///     .version(&PRICE_1, |query: Query| Ok(query.symbol), Ok);
/// ```
///
/// ```compile_fail,E0631
/// # use rpc_core::Rpc;
/// # use rpc_versioned::{caller_converts, callee_converts};
/// # struct Query { symbol: String }
/// # static PRICE_1: Rpc<String, i64> = Rpc::new("price", 1);
/// let caller = caller_converts::Rpc::<Query, i64>::builder("price")
///     .version(&PRICE_1, |symbol: String| Ok(Query { symbol }), Ok);
/// ```
///
/// nor do types between which there is no [`From`],
///
/// ```compile_fail,E0277
/// # use rpc_core::Rpc;
/// # use rpc_versioned::{caller_converts, callee_converts};
/// # struct Query { symbol: String }
/// # static PRICE_1: Rpc<String, i64> = Rpc::new("price", 1);
/// let caller = caller_converts::Rpc::<Query, i64>::builder("price").version_from(&PRICE_1);
/// ```
///
/// nor definitions of another kind:
///
/// ```compile_fail,E0308
/// # use rpc_core::PipeRpc;
/// # use rpc_versioned::{caller_converts, callee_converts};
/// # struct Query { symbol: String }
/// static PRICE_1: PipeRpc<String, i64, ()> = PipeRpc::new("price", 1);
///
/// let caller = caller_converts::Rpc::<Query, i64>::builder("price")
///     .version(&PRICE_1, |query: Query| Ok(query.symbol), Ok);
/// ```
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
