//! The structures of an RPC's types, by its kind (rule R-IM-7).

use bin_prot::shape::Shape;

use crate::payload::Codec;

/// The structures of an RPC's types. [Digests](rpc_wire::RpcDigests) of them are in menus; these
/// are what to look at when two digests differ.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum RpcShapes {
    /// Of a plain RPC.
    Rpc {
        /// The query.
        query: Shape,
        /// The response.
        response: Shape,
    },
    /// Of a one-way RPC.
    OneWay {
        /// The message.
        msg: Shape,
    },
    /// Of a pipe or state RPC.
    StreamingRpc {
        /// The query.
        query: Shape,
        /// The initial state; of a pipe RPC unit.
        initial_response: Shape,
        /// The updates.
        update_response: Shape,
        /// The callee's own error.
        error: Shape,
    },
    /// The codec has no shapes.
    Unknown,
}

impl RpcShapes {
    pub(crate) fn plain<Q, R, C: Codec<Q> + Codec<R>>() -> Self {
        let shapes = || {
            Some(Self::Rpc {
                query: <C as Codec<Q>>::shape()?,
                response: <C as Codec<R>>::shape()?,
            })
        };
        shapes().unwrap_or(Self::Unknown)
    }

    pub(crate) fn one_way<Q, C: Codec<Q>>() -> Self {
        C::shape().map_or(Self::Unknown, |msg| Self::OneWay { msg })
    }

    pub(crate) fn streaming<Q, T, U, E, C, CT>() -> Self
    where
        C: Codec<Q> + Codec<U> + Codec<E>,
        CT: Codec<T>,
    {
        let shapes = || {
            Some(Self::StreamingRpc {
                query: <C as Codec<Q>>::shape()?,
                initial_response: CT::shape()?,
                update_response: <C as Codec<U>>::shape()?,
                error: <C as Codec<E>>::shape()?,
            })
        };
        shapes().unwrap_or(Self::Unknown)
    }
}
