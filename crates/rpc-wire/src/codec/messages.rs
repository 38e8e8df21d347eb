//! Whole messages: what follows the handshake.

use bin_prot::BinWrite;
use bytes::BytesMut;
use tokio_util::codec::{Decoder, Encoder};

use super::{CodecError, FrameCodec};
use crate::{Message, OwnedMessage, frame};

/// Reads and writes whole messages, once the handshake is over.
///
/// Every message of every version is read, whatever was negotiated (rule C-RD-4); connection
/// metadata among them, which after the handshake is a fault of the peer that the user has to
/// notice. What is written is up to the user too.
///
/// A message is encoded into a buffer of the codec and copied from there to the output.
#[derive(Clone, Debug, Default)]
pub struct MessageCodec {
    frames: FrameCodec,
    /// Kept between messages for its capacity, and given up after a large one.
    scratch: Vec<u8>,
}

/// What the scratch buffer may keep.
const KEEP_CAPACITY: usize = 64 * 1024;

impl MessageCodec {
    /// A codec that takes over from the one that carried the handshake, with its limit.
    pub fn new(frames: FrameCodec) -> Self {
        Self {
            frames,
            scratch: Vec::new(),
        }
    }
}

impl Decoder for MessageCodec {
    type Item = OwnedMessage;
    type Error = CodecError;

    fn decode(&mut self, buffer: &mut BytesMut) -> Result<Option<OwnedMessage>, CodecError> {
        let Some(body) = self.frames.decode(buffer)? else {
            return Ok(None);
        };
        Ok(Some(OwnedMessage::decode(&body)?))
    }

    fn decode_eof(&mut self, buffer: &mut BytesMut) -> Result<Option<OwnedMessage>, CodecError> {
        let Some(body) = self.frames.decode_eof(buffer)? else {
            return Ok(None);
        };
        Ok(Some(OwnedMessage::decode(&body)?))
    }
}

impl Encoder<Message<'_>> for MessageCodec {
    type Error = CodecError;

    fn encode(&mut self, message: Message<'_>, buffer: &mut BytesMut) -> Result<(), CodecError> {
        self.scratch.clear();
        let limit = self.frames.limit();
        frame::append(&mut self.scratch, limit, message.bin_size(), |buffer| {
            message.bin_write(buffer)
        })?;
        buffer.extend_from_slice(&self.scratch);
        if self.scratch.capacity() > KEEP_CAPACITY {
            self.scratch = Vec::new();
        }
        Ok(())
    }
}

impl Encoder<OwnedMessage> for MessageCodec {
    type Error = CodecError;

    fn encode(&mut self, message: OwnedMessage, buffer: &mut BytesMut) -> Result<(), CodecError> {
        self.encode(message.to_message(), buffer)
    }
}
