//! Bodies of frames, whatever they hold.

use bytes::{Buf, BufMut, Bytes, BytesMut};
use tokio_util::codec::{Decoder, Encoder};

use super::CodecError;
use crate::frame::{self, AppendError, LENGTH_BYTES};

/// Splits a stream of bytes into the bodies of its frames, and frames what is sent.
///
/// A body is a slice of the read buffer, not a copy. Nothing is reserved for a length that was
/// merely announced: the buffer grows as bytes arrive.
#[derive(Clone, Copy, Debug)]
pub struct FrameCodec {
    limit: usize,
}

impl FrameCodec {
    /// A codec for bodies of up to `limit` bytes, in both directions.
    pub fn new(limit: usize) -> Self {
        Self { limit }
    }

    /// The limit of a body, in bytes.
    pub fn limit(&self) -> usize {
        self.limit
    }
}

impl Default for FrameCodec {
    /// With the reference's limit, [`DEFAULT_LIMIT`](frame::DEFAULT_LIMIT).
    fn default() -> Self {
        Self::new(frame::DEFAULT_LIMIT)
    }
}

impl Decoder for FrameCodec {
    type Item = Bytes;
    type Error = CodecError;

    /// The next body. After an error the buffer is left as it is, so asking again fails again.
    fn decode(&mut self, buffer: &mut BytesMut) -> Result<Option<Bytes>, CodecError> {
        let Some((body, _)) = frame::split(buffer, self.limit)? else {
            return Ok(None);
        };
        let length = body.len();
        buffer.advance(LENGTH_BYTES);
        Ok(Some(buffer.split_to(length).freeze()))
    }

    fn decode_eof(&mut self, buffer: &mut BytesMut) -> Result<Option<Bytes>, CodecError> {
        match self.decode(buffer)? {
            None if !buffer.is_empty() => Err(CodecError::EndInsideFrame(buffer.len())),
            frame => Ok(frame),
        }
    }
}

impl Encoder<Bytes> for FrameCodec {
    type Error = CodecError;

    fn encode(&mut self, body: Bytes, buffer: &mut BytesMut) -> Result<(), CodecError> {
        self.encode(&body[..], buffer)
    }
}

impl Encoder<&[u8]> for FrameCodec {
    type Error = CodecError;

    fn encode(&mut self, body: &[u8], buffer: &mut BytesMut) -> Result<(), CodecError> {
        if body.len() > self.limit {
            return Err(CodecError::Unsendable(AppendError::TooBig {
                size: body.len(),
                limit: self.limit,
            }));
        }
        buffer.reserve(LENGTH_BYTES + body.len());
        buffer.put_u64_le(body.len() as u64);
        buffer.put_slice(body);
        Ok(())
    }
}
