//! Frames and messages as a connection of ours writes and reads them; the payload is opaque.

use std::hint::black_box;

use rpc_wire::{
    DescriptionRef, Message, ProtocolVersion, QueryHeader, QueryId, QueryMetadata, ResponseHeader,
    frame::{self, DEFAULT_LIMIT, Frames},
};

/// The id of a connection that has been busy for a while.
pub const ID: i64 = 100_000;

/// The place of the RPC in the callee's menu, which names it from version 11 on.
pub const RANK: usize = 3;

/// Which of the two messages that calls consist of.
#[derive(Clone, Copy, Debug)]
pub enum Kind {
    /// What the caller sends.
    Query,
    /// What the callee sends.
    Response,
}

/// One message: what it is and what it carries.
#[derive(Clone, Copy, Debug)]
pub struct Content {
    /// What it is.
    pub kind: Kind,
    /// What it carries.
    pub payload: &'static [u8],
}

impl Content {
    /// A message with so many bytes of payload.
    pub fn new(kind: Kind, payload_bytes: usize) -> Self {
        let payload = (0..=u8::MAX).cycle().take(payload_bytes).collect();
        Self {
            kind,
            payload: Vec::leak(payload),
        }
    }

    /// The whole frame.
    pub fn frame(self) -> Vec<u8> {
        let mut buffer = Vec::new();
        self.put(&mut buffer);
        buffer
    }

    /// Appends the frame, as a connection does to its output buffer.
    pub fn put(self, buffer: &mut Vec<u8>) {
        const NO_METADATA: &QueryMetadata = &QueryMetadata::new();
        let Self { kind, payload } = self;
        let (version, id) = (ProtocolVersion::MAX, QueryId::new(ID));
        let appended = match kind {
            Kind::Query => {
                let rpc = DescriptionRef {
                    name: b"echo",
                    version: 1,
                };
                let header = QueryHeader::new(version, rpc, Some(RANK), id, NO_METADATA);
                let size = header.message_size(payload.len());
                frame::append(buffer, DEFAULT_LIMIT, size, |buffer| {
                    header.write_before(payload.len(), buffer)?;
                    buffer.extend_from_slice(payload);
                    Ok(())
                })
            }
            Kind::Response => {
                let header = ResponseHeader::new(version, id, Some(RANK));
                let size = header.message_size(payload.len());
                frame::append(buffer, DEFAULT_LIMIT, size, |buffer| {
                    header.write_before(payload.len(), buffer)?;
                    buffer.extend_from_slice(payload);
                    Ok(())
                })
            }
        };
        appended.expect("small numbers, and a frame within the limit");
    }
}

/// Decodes every frame, as a connection does, and counts the bytes of payload.
///
/// # Panics
/// If the bytes are anything but queries and answers.
pub fn read(bytes: &[u8]) -> usize {
    let mut payload_bytes = 0;
    for body in Frames::new(bytes, DEFAULT_LIMIT) {
        let message = Message::decode(body.expect("a whole frame")).expect("a message");
        // All of it, also what is not looked at below.
        black_box(&message);
        let data = match &message {
            Message::Query(query) => query.data,
            Message::Response(response) => *response.result.as_ref().expect("an answer"),
            _ => panic!("neither query nor response: {message:?}"),
        };
        payload_bytes += data.bytes().expect("as long as announced").len();
    }
    payload_bytes
}
