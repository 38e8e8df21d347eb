//! The shapes of an RPC's types, from its codec (rule R-IM-7).

use rpc_wire::{RpcDigests, RpcShapes};

use crate::payload::Codec;
use crate::rpc;

/// How to find out what menus tell of an RPC. Computing it takes time, so it waits until asked for
/// (rule R-IM-8).
#[derive(Clone, Copy, Debug)]
#[expect(
    unnameable_types,
    reason = "part of a sealed trait, so that it can change"
)]
pub struct Types {
    pub(crate) digests: fn() -> RpcDigests,
    pub(crate) shapes: fn() -> RpcShapes,
}

impl Types {
    /// Of an RPC that is known by name only.
    pub(crate) const UNKNOWN: Self = Self {
        digests: || RpcDigests::Unknown,
        shapes: || RpcShapes::Unknown,
    };

    pub(crate) fn plain<Q, R, C: Codec<Q> + Codec<R>>() -> Self {
        Self {
            digests: rpc::digests::<Q, R, C>,
            shapes: plain::<Q, R, C>,
        }
    }

    pub(crate) fn one_way<Q, C: Codec<Q>>() -> Self {
        Self {
            digests: rpc::one_way_digests::<Q, C>,
            shapes: one_way::<Q, C>,
        }
    }

    pub(crate) fn streaming<Q, T, U, E, C, CT>() -> Self
    where
        C: Codec<Q> + Codec<U> + Codec<E>,
        CT: Codec<T>,
    {
        Self {
            digests: rpc::streaming_digests::<Q, T, U, E, C, CT>,
            shapes: streaming::<Q, T, U, E, C, CT>,
        }
    }
}

/// Of a plain RPC.
pub(crate) fn plain<Q, R, C: Codec<Q> + Codec<R>>() -> RpcShapes {
    let shapes = || {
        Some(RpcShapes::Rpc {
            query: <C as Codec<Q>>::shape()?,
            response: <C as Codec<R>>::shape()?,
        })
    };
    shapes().unwrap_or(RpcShapes::Unknown)
}

/// Of a one-way RPC.
pub(crate) fn one_way<Q, C: Codec<Q>>() -> RpcShapes {
    C::shape().map_or(RpcShapes::Unknown, |msg| RpcShapes::OneWay { msg })
}

/// Of a pipe or state RPC.
pub(crate) fn streaming<Q, T, U, E, C, CT>() -> RpcShapes
where
    C: Codec<Q> + Codec<U> + Codec<E>,
    CT: Codec<T>,
{
    let shapes = || {
        Some(RpcShapes::StreamingRpc {
            query: <C as Codec<Q>>::shape()?,
            initial_response: CT::shape()?,
            update_response: <C as Codec<U>>::shape()?,
            error: <C as Codec<E>>::shape()?,
        })
    };
    shapes().unwrap_or(RpcShapes::Unknown)
}
