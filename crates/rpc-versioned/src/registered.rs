//! One version of an RPC, apart from what can be done with it.

use std::fmt;

use rpc_core::payload::Codec;
use rpc_core::{OneWay, PipeRpc, Rpc, StateRpc};
use rpc_wire::{Description, DescriptionRef, Menu, RpcDigests, RpcShapes};

use crate::conversion::Version;

/// One version that is registered in a family.
#[derive(Clone, Copy)]
pub struct Registered {
    version: Version,
    digests: fn() -> RpcDigests,
    shapes: fn() -> RpcShapes,
}

impl Registered {
    pub(crate) const fn plain<Q, R, C: Codec<Q> + Codec<R>>(rpc: &Rpc<Q, R, C>) -> Self {
        Self {
            version: Version::new(rpc.name(), rpc.version()),
            // The types alone count; so these need not keep the definition.
            digests: || Rpc::<Q, R, C>::new("", 0).digests(),
            shapes: || Rpc::<Q, R, C>::new("", 0).shapes(),
        }
    }

    pub(crate) const fn one_way<Q, C: Codec<Q>>(rpc: &OneWay<Q, C>) -> Self {
        Self {
            version: Version::new(rpc.name(), rpc.version()),
            digests: || OneWay::<Q, C>::new("", 0).digests(),
            shapes: || OneWay::<Q, C>::new("", 0).shapes(),
        }
    }

    pub(crate) const fn pipe<Q, U, E, C>(rpc: &PipeRpc<Q, U, E, C>) -> Self
    where
        C: Codec<Q> + Codec<U> + Codec<E>,
    {
        Self {
            version: Version::new(rpc.name(), rpc.version()),
            digests: || PipeRpc::<Q, U, E, C>::new("", 0).digests(),
            shapes: || PipeRpc::<Q, U, E, C>::new("", 0).shapes(),
        }
    }

    pub(crate) const fn state<Q, T, U, E, C>(rpc: &StateRpc<Q, T, U, E, C>) -> Self
    where
        C: Codec<Q> + Codec<T> + Codec<U> + Codec<E>,
    {
        Self {
            version: Version::new(rpc.name(), rpc.version()),
            digests: || StateRpc::<Q, T, U, E, C>::new("", 0).digests(),
            shapes: || StateRpc::<Q, T, U, E, C>::new("", 0).shapes(),
        }
    }

    pub(crate) const fn named(&self) -> Version {
        self.version
    }

    /// The name.
    pub const fn name(&self) -> &'static str {
        self.version.name
    }

    /// The version.
    pub const fn version(&self) -> i64 {
        self.version.number
    }

    /// Name and version.
    pub fn description(&self) -> Description {
        self.version.description()
    }

    /// The digests of the version's types. Computed anew each time.
    pub fn digests(&self) -> RpcDigests {
        (self.digests)()
    }

    /// The structures of the version's types. Computed anew each time.
    pub fn shapes(&self) -> RpcShapes {
        (self.shapes)()
    }

    /// Name and version, as menus are asked for them.
    #[inline]
    pub(crate) const fn described(&self) -> DescriptionRef<'static> {
        DescriptionRef {
            name: self.version.name.as_bytes(),
            version: self.version.number,
        }
    }

    pub(crate) fn is_on(&self, menu: &Menu) -> bool {
        menu.contains(self.described())
    }
}

impl fmt::Debug for Registered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} version {}", self.version.name, self.version.number)
    }
}
