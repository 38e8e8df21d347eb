//! From a transport to two ends that agree: the steps of a handshake, and how each can fail.

mod exchange;

use std::fmt;
use std::io;
use std::time::Duration;

use bin_prot::{Info, Sexp};
use bytes::Bytes;
use rpc_wire::frame::{self, AppendError};
use rpc_wire::handshake::{
    Agreement, AwaitingHeader, Foreign, HeaderError, HeaderFailure, MetadataError, Negotiated,
    NegotiationError, PeerMetadata,
};
use rpc_wire::{CloseReason, CloseReasonKind};
use thiserror::Error;
use tokio::time::timeout;

use super::config::Validation;
use super::limit::Limit;
use super::reader::Reader;
use super::{Config, Transport};
use crate::error::{HandlerError, describe, failure};
use crate::implementation::caught;
use exchange::Exchange;

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

impl HandshakeError {
    /// The error as the reference prints it: `(Handshake_error (CAUSE DESCRIPTION))`
    /// (rule C-HF-20).
    pub fn to_sexp(&self) -> Sexp {
        let described = Sexp::list([self.cause.to_sexp(), Sexp::atom(self.connection.as_str())]);
        Sexp::list([Sexp::atom("Handshake_error"), described])
    }
}

/// The two exchanges of a handshake.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Step {
    /// Which protocol and versions both sides speak.
    Header,
    /// Identification and menu, from version 3.
    ConnectionMetadata,
}

impl Step {
    fn to_sexp(self) -> Sexp {
        Sexp::atom(match self {
            Self::Header => "Header",
            Self::ConnectionMetadata => "Connection_metadata",
        })
    }
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
    /// The function that [validates](Config::validate) peers refused this one (rule C-HF-17).
    #[error("connection validation failed: {0}")]
    Refused(Info),
    /// It has not decided in time.
    #[error("no verdict of the validation within {after:?}")]
    ValidationTimeout {
        /// The limit.
        after: Duration,
    },
    /// It panicked.
    #[error("connection validation panicked: {0}")]
    Validation(HandlerError),
    /// The [menu](Config::custom_menu) could not be made.
    #[error("the menu could not be made: {0}")]
    CustomMenu(HandlerError),
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

impl HandshakeFailure {
    /// The failure as the reference prints it, as far as it has a name there.
    fn to_sexp(&self) -> Sexp {
        let tagged = |tag: &str, arguments: &[Sexp]| {
            let tag = std::iter::once(Sexp::atom(tag));
            Sexp::list(tag.chain(arguments.iter().cloned()))
        };
        let during = |tag: &str, step: Step, more: &[Sexp]| {
            let step = std::iter::once(step.to_sexp());
            let arguments: Vec<_> = step.chain(more.iter().cloned()).collect();
            tagged(tag, &arguments)
        };
        let text = |error: &dyn std::error::Error| failure(describe(error));
        let unreadable = |step, error: &dyn std::error::Error| {
            during("Reading_message_failed_during_step", step, &[text(error)])
        };
        let metadata = Step::ConnectionMetadata;
        match self {
            Self::Header(error) => unreadable(Step::Header, error),
            Self::Frame { step, source } => unreadable(*step, source),
            Self::Metadata(MetadataError::Closed(reason)) => during(
                "Transport_closed_with_reason_from_remote_during_step",
                metadata,
                &[reason.to_info().to_sexp()],
            ),
            Self::Metadata(MetadataError::Unexpected(kind)) => tagged(
                "Unexpected_message_during_connection_metadata",
                &[Sexp::atom(kind.to_string())],
            ),
            Self::Metadata(error) => unreadable(metadata, error),
            Self::Negotiation(error) => tagged("Negotiation_failed", &[text(error)]),
            Self::Timeout { .. } => Sexp::atom("Timeout"),
            Self::Eof { step } => during("Eof_during_step", *step, &[]),
            Self::Transport { step, .. } => during("Transport_closed_during_step", *step, &[]),
            Self::Unsendable {
                step,
                source: AppendError::TooBig { size, limit },
            } => {
                let sizes = Sexp::record([
                    ("size", Sexp::atom(size.to_string())),
                    ("max_message_size", Sexp::atom(limit.to_string())),
                ]);
                during("Message_too_big_during_step", *step, &[sizes])
            }
            Self::Unsendable { step, source } => {
                during("Writing_message_failed_during_step", *step, &[text(source)])
            }
            Self::Refused(error) => tagged("Connection_validation_failed", &[error.to_sexp()]),
            Self::ValidationTimeout { .. }
            | Self::Validation(_)
            | Self::CustomMenu(_)
            | Self::State(_) => failure(self),
        }
    }
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
    /// Bytes in the bodies of our frames.
    pub(super) bytes_sent: u64,
    /// What the transport has not taken of our frames yet.
    pub(super) unsent: Vec<u8>,
}

/// Runs the handshake. Bytes that follow its last frame stay in `reader` (rule C-HS-13).
pub(super) async fn run(
    io: &mut dyn Transport,
    reader: &mut Reader,
    config: &Config,
    local: &PeerMetadata,
) -> Result<Agreed, HandshakeFailure> {
    let mut exchange = Exchange::new(io, reader, config);
    let agreement = agree(&mut exchange, config, local).await;
    exchange.send_now().await;
    if let Err(Some(limit)) = agreement.as_ref().map_err(limit_met) {
        config.limits_met().add(limit);
    }
    let agreement = agreement?;
    let (bytes_sent, unsent) = exchange.finish();
    Ok(Agreed {
        agreement,
        bytes_sent,
        unsent,
    })
}

async fn agree(
    exchange: &mut Exchange<'_>,
    config: &Config,
    local: &PeerMetadata,
) -> Result<Agreement, HandshakeFailure> {
    let first = AwaitingHeader::new(config.header(), local);
    let negotiated = match config.peers_header() {
        Some(peers) => first
            .receive_header(peers)
            .map_err(HandshakeFailure::Negotiation)?,
        None => {
            let body = exchange.run(Step::Header, first.header()).await?;
            first.receive(&body)?
        }
    };
    let second = match negotiated {
        Negotiated::Complete(agreement) => return Ok(agreement),
        Negotiated::AwaitingMetadata(second) => second,
    };
    let version = second.version();
    let body = exchange
        .run(Step::ConnectionMetadata, second.message())
        .await;
    let mut agreement = body.and_then(|body| Ok(second.receive(&body)?));
    if let (Ok(agreed), Some(validation)) = (&agreement, &config.validation) {
        let identification = agreed.peer.identification.clone();
        let verdict = validate(exchange, config, validation, identification).await;
        agreement = verdict.and(agreement);
    }
    if let Err(failure) = &agreement
        && let Some(reason) = refusal(failure)
        && let Some(message) = reason.to_message(version)
    {
        exchange.refuse(&message).await;
    }
    agreement
}

/// Asks whether the peer is acceptable, while what we have sent goes on being sent.
async fn validate(
    exchange: &mut Exchange<'_>,
    config: &Config,
    validation: &Validation,
    identification: Option<Bytes>,
) -> Result<(), HandshakeFailure> {
    let mut verdict = Box::pin(caught(validation.validate(identification)));
    let decide = std::future::poll_fn(|cx| {
        // Should the transport have failed, whoever uses it next will notice.
        let _sent = exchange.poll_send(cx);
        verdict.as_mut().poll(cx)
    });
    let after = config.validation_timeout;
    match timeout(after, decide).await {
        Ok(Ok(Ok(()))) => Ok(()),
        Ok(Ok(Err(error))) => Err(HandshakeFailure::Refused(error)),
        Ok(Err(panic)) => {
            let error = HandlerError::from_panic(&*panic);
            Err(HandshakeFailure::Validation(error))
        }
        Err(_) => Err(HandshakeFailure::ValidationTimeout { after }),
    }
}

/// The limit that a failure is about.
fn limit_met(failure: &HandshakeFailure) -> Option<Limit> {
    match failure {
        HandshakeFailure::Timeout { .. } => Some(Limit::HandshakeTime),
        HandshakeFailure::Frame {
            step: Step::ConnectionMetadata,
            ..
        } => Some(Limit::PeerMetadata),
        _ => None,
    }
}

/// What a peer that failed is told (the last column of *connection* §2.3).
fn refusal(failure: &HandshakeFailure) -> Option<CloseReason> {
    let refused = |reason| CloseReason {
        kind: CloseReasonKind::ConnectionValidationFailed,
        ..reason
    };
    match failure {
        HandshakeFailure::Timeout { .. }
        | HandshakeFailure::Frame { .. }
        | HandshakeFailure::Metadata(
            MetadataError::Unreadable(_) | MetadataError::Menu(_) | MetadataError::Unexpected(_),
        ) => Some(CloseReason::debug(describe(failure))),
        HandshakeFailure::Refused(error) => Some(refused(CloseReason::user(error.clone()))),
        HandshakeFailure::ValidationTimeout { .. } => {
            Some(refused(CloseReason::debug(describe(failure))))
        }
        // What went wrong is not the peer's business.
        HandshakeFailure::Validation(_) => Some(refused(CloseReason::default())),
        _ => None,
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
