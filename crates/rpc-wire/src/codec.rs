//! Frames and messages for `tokio_util::codec`, behind the feature `tokio-codec`.
//!
//! ```text
//! FrameCodec     8-byte length ‖ body    <->  Bytes
//! MessageCodec   8-byte length ‖ body    <->  OwnedMessage, after the handshake
//! ```
//!
//! Both end with an error at the first frame that makes no sense; nothing after it can be
//! understood, so the stream is to be dropped then. They decide nothing else: heartbeats, answers
//! and closing are the user's.
//!
//! # Examples
//!
//! A connection whose handshake went through a [`FrameCodec`] continues with a [`MessageCodec`]:
//!
//! ```
//! use bytes::Bytes;
//! use rpc_wire::codec::{FrameCodec, MessageCodec};
//! use rpc_wire::{Header, Message, OwnedMessage};
//! use tokio_util::codec::{Decoder, Encoder};
//!
//! let (mut received, mut sent) = Default::default();
//! let mut frames = FrameCodec::default();
//! frames.encode(Bytes::from(bin_prot::to_vec(&Header::default())?), &mut received)?;
//! let header = frames.decode(&mut received)?.expect("a whole frame");
//! assert_eq!(Header::decode(&header)?, Header::default());
//!
//! // `Framed::map_codec` does this to a whole connection.
//! let mut messages = MessageCodec::new(frames);
//! messages.encode(Message::Heartbeat, &mut sent)?;
//! assert_eq!(sent[..], [1, 0, 0, 0, 0, 0, 0, 0, 0x00]);
//! assert_eq!(messages.decode(&mut sent)?, Some(OwnedMessage::Heartbeat));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod frames;
mod messages;

use std::io;

use bin_prot::ReadError;
use thiserror::Error;

use crate::frame;

pub use frames::FrameCodec;
pub use messages::MessageCodec;

/// Why a stream of frames ends early, or a frame was not written.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum CodecError {
    /// The peer announced a length that no frame may have.
    #[error(transparent)]
    Frame(#[from] frame::Error),
    /// The peer sent a message that cannot be read.
    #[error("unreadable message")]
    Message(#[from] ReadError),
    /// The input ended in the middle of a frame. Peers that are killed end like this; the
    /// reference treats it as an ordinary end.
    #[error("input ended inside a frame, after {0} of its bytes")]
    EndInsideFrame(usize),
    /// Our own message exceeds our own limit, or has no encoding. Nothing was written.
    #[error(transparent)]
    Unsendable(#[from] frame::AppendError),
    /// The transport failed.
    #[error("transport failed")]
    Io(#[from] io::Error),
}
