//! What all callers and callees that convert have in common.

use rpc_wire::{Description, Menu};

use crate::compatibility::{self, Incompatible};
use crate::family::Naming;
use crate::registered::Registered;

/// A caller or a callee that converts, of any kind: what is common to all of them.
pub trait Converts: sealed::Sealed {
    /// The name that all versions have; none of a caller [by preference](crate#preference)
    /// (rule V-SE-6).
    fn name(&self) -> Option<&'static str> {
        match self.family().naming() {
            Naming::One(name) => Some(name),
            Naming::Preference => None,
        }
    }

    /// The registered versions, ascending, each once (rule V-SE-6).
    fn versions(&self) -> Vec<i64> {
        self.family().versions()
    }

    /// What is registered, in the order in which it is preferred.
    fn rpcs(&self) -> impl ExactSizeIterator<Item = &Registered> {
        self.family().rpcs()
    }

    /// What a callee with this menu would be asked for, if it has the same types: a check for tests
    /// of a rollout, with the [menu of](crate::menu_of) the other release's table, or for the menu of a
    /// running peer (rule V-BA-5). Types that either side does not tell count as equal, and the menu of
    /// a peer often tells none: [`Menu::has_digests`](rpc_wire::Menu::has_digests) says whether it does.
    ///
    /// ```
    /// use rpc_core::{Implementations, Rpc};
    /// use rpc_versioned::{Converts, Incompatible, caller_converts, menu_of};
    ///
    /// static PRICE_1: Rpc<String, i64> = Rpc::new("price", 1);
    /// static PRICE_2: Rpc<(String, String), i64> = Rpc::new("price", 2);
    /// // Somebody has changed a type without a new version.
    /// static PRICE_2_AS_CHANGED: Rpc<(String, i64), i64> = Rpc::new("price", 2);
    ///
    /// let caller = caller_converts::Rpc::<String, i64>::builder("price")
    ///     .version_from(&PRICE_1)
    ///     .version(&PRICE_2, |symbol| Ok((symbol, "USD".into())), Ok)
    ///     .build()?;
    /// let callee = Implementations::<()>::builder()
    ///     .implement_blocking(&PRICE_2_AS_CHANGED, |(), _| Ok(7))
    ///     .build()?;
    /// let error = caller.check(&menu_of(&callee)).unwrap_err();
    /// assert!(matches!(error, Incompatible::Types { .. }));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// They have no RPC in common, or its types differ.
    fn check(&self, callee: &Menu) -> Result<Description, Incompatible> {
        compatibility::check(self.family().rpcs(), callee)
    }
}

pub(crate) mod sealed {
    use crate::family::Family;

    #[expect(
        unnameable_types,
        reason = "implemented here only, so that it can change"
    )]
    pub trait Sealed: Sized {
        /// What can be done with one version.
        type Operation;

        fn from_family(family: Family<Self::Operation>) -> Self;

        fn family(&self) -> &Family<Self::Operation>;
    }
}
