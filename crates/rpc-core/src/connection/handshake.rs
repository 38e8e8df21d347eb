//! Carries the frames of `rpc_wire::handshake`'s state machine over a transport, under a timeout.

use std::fmt;
use std::io;
use std::pin::Pin;
use std::task::Poll;
use std::time::Duration;

use bin_prot::BinWrite;
use rpc_wire::frame::{self, AppendError};
use rpc_wire::handshake::{
    Agreement, AwaitingHeader, Foreign, HeaderError, HeaderFailure, MetadataError, Negotiated,
    NegotiationError, PeerMetadata,
};
use rpc_wire::{CloseReason, CloseReasonKind, Message, ProtocolVersion};
use thiserror::Error;
use tokio::io::AsyncWriteExt;
use tokio::time::{timeout, timeout_at};

use super::end::shut_down;
use super::reader::Reader;
use super::{Config, Transport, after};
use crate::error::{HandlerError, describe};

/// A header has at most 100 numbers; nobody needs more room than this for them.
const MAX_HEADER_BYTES: usize = 1024;

/// How long a refused peer may take to accept the bytes that tell it so.
const REFUSAL_TIMEOUT: Duration = Duration::from_secs(1);

/// Why no connection came about. The transport is closed in every case.
#[derive(Debug, Error)]
#[error("handshake on {connection} failed")]
pub struct HandshakeError {
    /// The connection's description.
    pub connection: String,
    /// What happened.
    #[source]
    pub cause: HandshakeFailure,
}

/// The two exchanges of a handshake.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Step {
    /// Which protocol and versions both sides speak.
    Header,
    /// Identification and menu, from version 3.
    ConnectionMetadata,
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Header => "header",
            Self::ConnectionMetadata => "connection metadata",
        })
    }
}

/// What went wrong during a handshake (*connection* §2.3).
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum HandshakeFailure {
    /// The peer's first frame is no header.
    #[error(transparent)]
    Header(HeaderError),
    /// The peer's second frame is no connection metadata.
    #[error(transparent)]
    Metadata(#[from] MetadataError),
    /// The peer announced a frame whose length is out of range. Something that is no Async_rpc
    /// at all usually shows like this, and is named when its first bytes are well known.
    #[error("waiting for the {step}{}", looks_like(*step, source))]
    Frame {
        /// When.
        step: Step,
        /// The length.
        source: frame::Error,
    },
    /// The two headers do not agree.
    #[error(transparent)]
    Negotiation(NegotiationError),
    /// The peer said nothing, or not enough, in time.
    #[error("no {step} from the peer within {after:?}")]
    Timeout {
        /// When.
        step: Step,
        /// The limit.
        after: Duration,
    },
    /// The peer ended the stream.
    #[error("peer closed the stream before its {step}")]
    Eof {
        /// When.
        step: Step,
    },
    /// The transport failed.
    #[error("transport failed during the {step}")]
    Transport {
        /// When.
        step: Step,
        /// How.
        source: io::Error,
    },
    /// The function that makes the connection's state panicked (rule C-HF-25).
    #[error("the connection's state could not be made: {0}")]
    State(HandlerError),
    /// Our own frame exceeds our own limit, or cannot be encoded.
    #[error("our own {step} cannot be sent")]
    Unsendable {
        /// When.
        step: Step,
        /// Why.
        source: AppendError,
    },
}

/// The end of the message, when the peer's first bytes are those of another protocol.
fn looks_like(step: Step, frame: &frame::Error) -> String {
    let first = match step {
        Step::Header => Foreign::guess(&frame.length.to_le_bytes()),
        Step::ConnectionMetadata => None,
    };
    first.map_or_else(String::new, |foreign| {
        format!(", the first bytes look like {foreign}")
    })
}

impl From<HeaderFailure> for HandshakeFailure {
    fn from(failure: HeaderFailure) -> Self {
        match failure {
            HeaderFailure::Header(error) => Self::Header(error),
            HeaderFailure::Negotiation(error) => Self::Negotiation(error),
        }
    }
}

/// What came of a handshake.
#[derive(Debug)]
pub(super) struct Agreed {
    pub(super) agreement: Agreement,
    /// In the bodies of our frames.
    pub(super) bytes_sent: u64,
}

/// Runs the handshake. Bytes that follow its last frame stay in `reader` (rule C-HS-13).
pub(super) async fn run(
    io: &mut dyn Transport,
    reader: &mut Reader,
    config: &Config,
    local: &PeerMetadata,
) -> Result<Agreed, HandshakeFailure> {
    let mut exchange = Exchange {
        io,
        reader,
        config,
        bytes_sent: 0,
    };
    let agreement = exchange.agree(local).await?;
    Ok(Agreed {
        agreement,
        bytes_sent: exchange.bytes_sent,
    })
}

/// What a peer that failed is told (the last column of *connection* §2.3).
fn refusal(failure: &HandshakeFailure) -> Option<CloseReason> {
    match failure {
        HandshakeFailure::Timeout { .. }
        | HandshakeFailure::Frame { .. }
        | HandshakeFailure::Metadata(
            MetadataError::Unreadable(_) | MetadataError::Menu(_) | MetadataError::Unexpected(_),
        ) => Some(CloseReason {
            kind: CloseReasonKind::Unspecified,
            ..CloseReason::debug(describe(failure))
        }),
        _ => None,
    }
}

struct Exchange<'a> {
    io: &'a mut dyn Transport,
    reader: &'a mut Reader,
    config: &'a Config,
    bytes_sent: u64,
}

impl Exchange<'_> {
    async fn agree(&mut self, local: &PeerMetadata) -> Result<Agreement, HandshakeFailure> {
        let first = AwaitingHeader::new(self.config.header(), local);
        let body = self.run(Step::Header, first.header()).await?;
        let second = match first.receive(&body)? {
            Negotiated::Complete(agreement) => return Ok(agreement),
            Negotiated::AwaitingMetadata(second) => second,
        };
        let version = second.version();
        let body = self.run(Step::ConnectionMetadata, second.message());
        let agreement = body.await.and_then(|body| Ok(second.receive(&body)?));
        if let Err(failure) = &agreement
            && let Some(reason) = refusal(failure)
        {
            self.refuse(version, &reason).await;
        }
        agreement
    }

    /// Sends our frame and reads the peer's, both at once: neither waits for the other
    /// (rules C-HS-1, C-HS-5).
    async fn run(&mut self, step: Step, ours: &impl BinWrite) -> Result<Vec<u8>, HandshakeFailure> {
        let frame = self.framed(step, ours)?;
        self.bytes_sent += (frame.len() - frame::LENGTH_BYTES) as u64;
        let after = self.config.handshake_timeout;
        timeout(after, self.send_and_read(step, &frame))
            .await
            .unwrap_or(Err(HandshakeFailure::Timeout { step, after }))
    }

    fn framed(&self, step: Step, value: &impl BinWrite) -> Result<Vec<u8>, HandshakeFailure> {
        let mut buffer = Vec::new();
        frame::append(
            &mut buffer,
            self.config.max_message_size,
            value.bin_size(),
            |buffer| value.bin_write(buffer),
        )
        .map_err(|source| HandshakeFailure::Unsendable { step, source })?;
        Ok(buffer)
    }

    async fn send_and_read(
        &mut self,
        step: Step,
        frame: &[u8],
    ) -> Result<Vec<u8>, HandshakeFailure> {
        let transport = |source| HandshakeFailure::Transport { step, source };
        let limit = match step {
            Step::Header => MAX_HEADER_BYTES.min(self.config.max_message_size),
            Step::ConnectionMetadata => self.config.max_message_size,
        };
        let mut unsent = frame;
        let mut unflushed = true;
        let mut received = None;
        std::future::poll_fn(|cx| {
            loop {
                let mut progress = false;
                if received.is_none() {
                    let next = self.reader.next_frame_within(limit);
                    let next = next.map_err(|source| HandshakeFailure::Frame { step, source })?;
                    received = next.map(<[u8]>::to_vec);
                }
                if let [_, ..] = unsent {
                    let io = Pin::new(&mut *self.io);
                    if let Poll::Ready(taken) = io.poll_write(cx, unsent).map_err(transport)? {
                        if taken == 0 {
                            let closed = io::ErrorKind::WriteZero.into();
                            return Poll::Ready(Err(transport(closed)));
                        }
                        unsent = unsent.get(taken..).unwrap_or_default();
                        progress = true;
                    }
                } else if unflushed {
                    let io = Pin::new(&mut *self.io);
                    unflushed = io.poll_flush(cx).map_err(transport)?.is_pending();
                }
                if received.is_none() {
                    let io = Pin::new(&mut *self.io);
                    match self.reader.poll_fill(io, cx).map_err(transport)? {
                        Poll::Ready(0) => return Poll::Ready(Err(HandshakeFailure::Eof { step })),
                        Poll::Ready(_) => progress = true,
                        Poll::Pending => {}
                    }
                } else if unsent.is_empty() {
                    return Poll::Ready(Ok(received.take().unwrap_or_default()));
                }
                if !progress {
                    return Poll::Pending;
                }
            }
        })
        .await
    }

    /// Tells the peer why, as far as the version can and the peer still listens.
    async fn refuse(&mut self, version: ProtocolVersion, reason: &CloseReason) {
        let message: Option<Message<'_>> = reason.to_message(version);
        let frame = message.and_then(|m| self.framed(Step::ConnectionMetadata, &m).ok());
        let Some(frame) = frame else { return };
        let deadline = after(REFUSAL_TIMEOUT);
        // The peer is refused, told or not.
        if let Ok(Ok(())) = timeout_at(deadline, self.io.write_all(&frame)).await {
            shut_down(self.io, false, deadline).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(step: Step, bytes: [u8; 8], expected: &str) {
        let failure = HandshakeFailure::Frame {
            step,
            source: frame::split(&bytes, frame::DEFAULT_LIMIT).unwrap_err(),
        };
        assert_eq!(failure.to_string(), expected);
    }

    #[test]
    fn protocol_of_a_foreign_peer_is_named() {
        let http = "waiting for the header, the first bytes look like HTTP";
        check(Step::Header, *b"GET / HT", http);
        let tls = "waiting for the header, the first bytes look like TLS";
        check(Step::Header, [0x16, 3, 1, 2, 0, 1, 0, 1], tls);
        check(Step::Header, [0xff; 8], "waiting for the header");
        // Who has sent a header speaks Async_rpc, whatever a later length looks like.
        let later = "waiting for the connection metadata";
        check(Step::ConnectionMetadata, *b"GET / HT", later);
    }
}
