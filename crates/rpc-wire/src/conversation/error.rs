//! Where a conversation stops making sense.

use bin_prot::ReadError;
use thiserror::Error;

use super::Direction;
use crate::frame;
use crate::handshake::{FirstFrameError, HeaderError, MetadataError, NegotiationError};

/// The first thing in one direction that makes no sense; nothing after it is decoded.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{direction}, byte {offset} (frame at byte {frame_offset})")]
pub struct Error {
    /// Who sent it.
    pub direction: Direction,
    /// Where its frame begins: bytes of this direction before it.
    pub frame_offset: u64,
    /// The offending byte, as closely as it is known.
    pub offset: u64,
    /// What is wrong.
    #[source]
    pub cause: Cause,
}

/// What makes no sense.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum Cause {
    /// The first length is none.
    #[error(transparent)]
    FirstFrame(#[from] FirstFrameError),
    /// A later length is none.
    #[error(transparent)]
    Frame(#[from] frame::Error),
    /// The first frame is no header.
    #[error(transparent)]
    Header(#[from] HeaderError),
    /// The two headers do not agree.
    #[error(transparent)]
    Negotiation(#[from] NegotiationError),
    /// The second frame is no connection metadata.
    #[error(transparent)]
    Metadata(#[from] MetadataError),
    /// A later frame is no message.
    #[error("unreadable message")]
    Message(#[from] ReadError),
    /// Metadata is sent once only.
    #[error("connection metadata after the handshake")]
    MetadataAgain,
    /// A query names a position that the callee's menu does not have.
    #[error("query for rank {rank}, but the callee's menu has {listed} RPCs")]
    UnknownRank {
        /// The position.
        rank: i64,
        /// How many RPCs are listed.
        listed: usize,
    },
    /// A query names a position, but the callee sent no menu.
    #[error("query for rank {0}, but the callee sent no menu")]
    RankWithoutMenu(i64),
    /// The bytes ended in the middle of a frame.
    #[error("the bytes end {0} bytes into a frame")]
    EndInsideFrame(usize),
}

impl Cause {
    /// How far into its frame's body the offending byte is, if that is known.
    pub(super) fn offset_in_body(&self) -> Option<usize> {
        match self {
            Self::Header(HeaderError::Unreadable(error))
            | Self::Metadata(MetadataError::Unreadable(error))
            | Self::Message(error) => Some(error.offset),
            _ => None,
        }
    }
}
