//! The messages of one stream that this side serves, and the promise that nothing follows its end.

use std::sync::Arc;

use rpc_wire::RpcError;
use rpc_wire::frame::AppendError;
use rpc_wire::stream::{self, Initial};

use crate::connection::output::Class;
use crate::connection::serving::Served;
use crate::error::{HandlerError, SendError};
use crate::implementation::call::{Call, too_big, unsendable};
use crate::implementation::handler::{HandlerKind, Stop};
use crate::payload::Codec;
use crate::tracing_event::SentResponse;

const KIND: HandlerKind = HandlerKind::Streaming;

/// Bytes in the output buffer at which a batch ends, however few updates it has.
const HIGH_WATER: usize = 256 * 1024;

/// Sends the messages of one stream, and nothing after its end.
#[derive(Debug)]
pub(crate) struct Sender {
    pub(crate) call: Call,
    pub(crate) served: Arc<Served>,
}

/// Whether a stream goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Flow {
    Continue,
    /// Not before the transport has taken what is buffered.
    Pause,
    Stop,
}

impl Flow {
    /// After a message was appended, with so many bytes in the output buffer, or was not wanted.
    fn after(buffered: Option<usize>) -> Self {
        match buffered {
            Some(buffered) if buffered < HIGH_WATER => Self::Continue,
            Some(_) => Self::Pause,
            None => Self::Stop,
        }
    }
}

impl Sender {
    fn send(
        &self,
        kind: SentResponse,
        class: Class,
        payload: usize,
        write: impl FnOnce(&mut Vec<u8>) -> Result<(), bin_prot::WriteError>,
    ) -> Result<Flow, Box<SendError>> {
        let sent = self
            .call
            .send_if(|| kind, || !self.served.is_ended(), class, payload, write)?;
        Ok(Flow::after(sent))
    }

    /// Updates that have been framed, all or none of them, if nobody listens.
    pub(super) fn frames(&self, frames: &[u8], updates: usize) -> Result<Flow, Box<SendError>> {
        let output = &self.call.shared().output;
        let sent = output.appending(|output| {
            output.append_frames_if(|| !self.served.is_ended(), Class::Item, frames, updates)
        });
        sent.map(Flow::after)
    }

    pub(super) fn initial<T, C: Codec<T>>(
        &self,
        initial: Initial,
        value: &T,
    ) -> Result<Flow, Box<SendError>> {
        let kind = match initial {
            Initial::Ok => SentResponse::StreamingInitial,
            Initial::Error => SentResponse::SingleOrStreamingUserDefinedError,
        };
        self.send(
            kind,
            Class::Response,
            Initial::payload_size(C::size(value)),
            |buffer| {
                initial.write_before(buffer);
                C::write(value, buffer)
            },
        )
    }

    /// The user's error: the only response.
    pub(super) fn refuse<E, C: Codec<E>>(&self, error: &E) -> Option<Stop> {
        match self.initial::<E, C>(Initial::Error, error) {
            Ok(_) => {
                self.finished();
                None
            }
            Err(error) => self.reject(*error),
        }
    }

    pub(super) fn update<U, C: Codec<U>>(&self, update: &U) -> Result<Flow, Box<SendError>> {
        let size = C::size(update);
        let kind = SentResponse::StreamingUpdate;
        self.send(kind, Class::Item, stream::update_size(size), |buffer| {
            stream::write_before_update(size, buffer);
            C::write(update, buffer)
        })
    }

    /// The ordinary end.
    pub(crate) fn end(&self) {
        let payload = stream::EOF_PAYLOAD;
        let sent = self.call.send_if(
            || SentResponse::StreamingClosed,
            || self.served.end(),
            Class::Item,
            payload.len(),
            |buffer| {
                buffer.extend_from_slice(payload);
                Ok(())
            },
        );
        if let Err(error) = sent.map(drop)
            && let Some(error) = unsendable(*error, KIND)
        {
            self.call.error_instead(|| true, error);
        }
    }

    /// An error in place of the end.
    fn fail(&self, error: RpcError) {
        self.call.error_if(|| self.served.end(), error);
    }

    /// The handler failed before its result was sent.
    pub(super) fn failed(&self, error: HandlerError) -> Option<Stop> {
        let stop = self.call.failed_if(|| self.served.end(), KIND, error);
        self.finished();
        stop
    }

    /// Whoever produces the updates failed: an error in place of the end, without a location, and
    /// then the policy (rule R-SV-12). Nothing, if the stream has ended before.
    pub(crate) fn failed_in_background(&self, error: HandlerError) -> Option<Stop> {
        self.fail(RpcError::UncaughtExn(error.clone().into_sexp()));
        let stop = self.call.raised_in_background(error);
        self.finished();
        stop
    }

    /// An error in place of the initial response. After *Write_error* the caller will abort and
    /// wait for an end, so the stream stays registered (decision 9). Having no encoding is a
    /// failure of the handler.
    pub(super) fn reject(&self, error: SendError) -> Option<Stop> {
        match error {
            SendError::Closed(_) | SendError::Overfull { .. } => {
                self.finished();
                None
            }
            SendError::Frame(AppendError::TooBig { size, limit }) => {
                self.report(too_big(size, limit));
                None
            }
            SendError::Frame(error) => self.failed(error.into()),
        }
    }

    /// An error that does not end the stream.
    pub(crate) fn report(&self, error: RpcError) {
        self.call.error_instead(|| !self.served.is_ended(), error);
    }

    /// Nothing more to send: an abort that comes from now on concerns nobody.
    pub(crate) fn finished(&self) {
        let serving = &self.call.shared().serving;
        serving.finished(self.call.id(), &self.served);
    }
}
