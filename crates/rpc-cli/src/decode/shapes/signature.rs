//! The kind of an RPC and its types, in whatever form these are.

use rpc_wire::RpcDigests;

use bin_prot::shape::Digest;

/// An RPC's kind, as far as payloads depend on it, and its types.
#[derive(Clone, Debug)]
pub(crate) enum Signature<T> {
    /// A plain RPC.
    Plain { query: T, response: T },
    /// A one-way RPC.
    OneWay { message: T },
    /// A pipe or state RPC; a pipe RPC's initial response is unit.
    Stream {
        query: T,
        initial: T,
        update: T,
        error: T,
    },
}

impl<T> Signature<T> {
    /// What it is called in messages.
    pub(crate) fn kind(&self) -> &'static str {
        match self {
            Self::Plain { .. } => "a plain RPC",
            Self::OneWay { .. } => "a one-way RPC",
            Self::Stream { .. } => "a pipe or state RPC",
        }
    }

    /// What each type is of, and the type.
    pub(super) fn parts(&self) -> Vec<(&'static str, &T)> {
        match self {
            Self::Plain { query, response } => vec![("query", query), ("response", response)],
            Self::OneWay { message } => vec![("message", message)],
            Self::Stream {
                query,
                initial,
                update,
                error,
            } => vec![
                ("query", query),
                ("initial response", initial),
                ("update", update),
                ("error", error),
            ],
        }
    }

    /// The same kind, with each type put into another form. `map` is told what the type is of.
    pub(super) fn try_map<U, E>(
        self,
        mut map: impl FnMut(&'static str, T) -> Result<U, E>,
    ) -> Result<Signature<U>, E> {
        Ok(match self {
            Self::Plain { query, response } => Signature::Plain {
                query: map("query", query)?,
                response: map("response", response)?,
            },
            Self::OneWay { message } => Signature::OneWay {
                message: map("message", message)?,
            },
            Self::Stream {
                query,
                initial,
                update,
                error,
            } => Signature::Stream {
                query: map("query", query)?,
                initial: map("initial response", initial)?,
                update: map("update", update)?,
                error: map("error", error)?,
            },
        })
    }
}

impl Signature<Digest> {
    /// What a menu says, unless it says nothing.
    pub(super) fn of(digests: &RpcDigests) -> Option<Self> {
        Some(match *digests {
            RpcDigests::Rpc { query, response } => Self::Plain {
                query: query.0,
                response: response.0,
            },
            RpcDigests::OneWay { msg } => Self::OneWay { message: msg.0 },
            RpcDigests::StreamingRpc {
                query,
                initial_response,
                update_response,
                error,
            } => Self::Stream {
                query: query.0,
                initial: initial_response.0,
                update: update_response.0,
                error: error.0,
            },
            RpcDigests::Unknown => return None,
        })
    }
}
