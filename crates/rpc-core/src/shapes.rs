//! The shapes of an RPC's types, from its codec (rule R-IM-7).

use rpc_wire::RpcShapes;

use crate::payload::Codec;

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
