//! What a conversation consists of, message by message.

use std::fmt;
use std::sync::Arc;

use bin_prot::ReadError;
use bytes::Bytes;
use thiserror::Error;

use crate::handshake::PeerMetadata;
use crate::{CloseReason, Description, Header, Overlong, ProtocolVersion, QueryId, RpcError};

/// Who sent something. Which end is called the client is up to who feeds the bytes; usually it is
/// the one that opened the transport. Both may call and both may answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Direction {
    /// From the client to the server.
    FromClient,
    /// From the server to the client.
    FromServer,
}

impl Direction {
    /// Both of them.
    pub const BOTH: [Self; 2] = [Self::FromClient, Self::FromServer];

    /// The other one.
    pub fn opposite(self) -> Self {
        match self {
            Self::FromClient => Self::FromServer,
            Self::FromServer => Self::FromClient,
        }
    }
}

impl fmt::Display for Direction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::FromClient => "from the client",
            Self::FromServer => "from the server",
        })
    }
}

/// One message, and where it was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// Who sent it.
    pub direction: Direction,
    /// Where its frame begins: bytes of this direction before it.
    pub offset: u64,
    /// Size of the frame with its length; 0 for [`Content::Negotiated`], which has no frame of its
    /// own. So the sizes of all events of a direction add up to what was decoded of it.
    pub frame_bytes: usize,
    /// The message.
    pub content: Content,
}

/// What a message says.
///
/// Of each direction, in this order: `Header`, from version 3 `Metadata` (or a `CloseReason` that
/// refuses the peer), then any of the others. `Negotiated` comes right after the second `Header`.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Content {
    /// The first frame.
    Header(Header),
    /// What both headers agree on.
    Negotiated(ProtocolVersion),
    /// Identification and menu, from version 3.
    Metadata(Arc<PeerMetadata>),
    /// A sign of life.
    Heartbeat,
    /// A call, a one-way message, or the abort of a stream.
    Query(Query),
    /// An answer, or one item of a stream.
    Response(Response),
    /// The sender takes no new queries.
    CloseStarted,
    /// Why the sender closes.
    CloseReason(CloseReason),
}

/// A query message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Query {
    /// The id that responses echo.
    pub id: QueryId,
    /// Which RPC.
    pub rpc: Rpc,
    /// What it wants.
    pub form: QueryForm,
    /// Keys and payloads, in the order sent.
    pub metadata: Vec<(i64, Bytes)>,
    /// The user's value, without the layer of streams; empty for an abort.
    pub payload: Result<Bytes, Overlong>,
}

/// Which RPC a query asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Rpc {
    /// Its name and version, sent as such or found in the callee's menu.
    Named(Arc<Description>),
    /// Its position in a menu that was not captured.
    Rank(i64),
}

impl fmt::Display for Rpc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Named(description) => description.fmt(f),
            Self::Rank(rank) => write!(f, "rank {rank}"),
        }
    }
}

/// What a query message wants. The wire does not tell the kinds of RPCs apart: streams are
/// recognised by the layer in their payloads, one-way messages not at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum QueryForm {
    /// One answer, or none when it is a one-way message.
    Plain,
    /// Opens a stream.
    Stream,
    /// Ends the stream with the same id.
    Abort,
}

/// A response message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Response {
    /// The query's id.
    pub id: QueryId,
    /// The query; `None` if it was not captured, or never sent.
    pub query: Option<AnsweredQuery>,
    /// What it brings.
    pub item: ResponseItem,
}

/// The query that a response belongs to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AnsweredQuery {
    /// Which RPC.
    pub rpc: Rpc,
    /// The [`offset`](Event::offset) of the query, in the opposite direction.
    pub offset: u64,
}

/// What a response brings. Payloads are the user's values, without the layer of streams.
///
/// Of a stream: `Initial`, then `Update`s, then `End`; or `InitialError` alone; or an `Error` at
/// any point, which ends it unless it is `Write_error`.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ResponseItem {
    /// The answer of a plain RPC; of anything when the query was not captured.
    Answer(Bytes),
    /// The state with which a stream begins.
    Initial(Bytes),
    /// The user's error in place of a stream.
    InitialError(Bytes),
    /// One update.
    Update {
        /// Counted from 1.
        number: u64,
        /// Its value.
        payload: Bytes,
    },
    /// The end of a stream.
    End,
    /// Why there is no answer.
    Error(RpcError),
    /// A payload that makes no sense: spoils this response, not the conversation.
    Malformed(Malformed),
}

/// What is wrong with the payload of a response.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum Malformed {
    /// It passes the end of its frame.
    #[error(transparent)]
    Overlong(#[from] Overlong),
    /// The query opened a stream, but this is no item of one.
    #[error("no item of a stream")]
    Stream(#[from] ReadError),
}
