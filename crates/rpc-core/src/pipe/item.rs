//! One response to a streaming query, decoded.

use bin_prot::{BinRead, Reader};
use rpc_wire::Data;
use rpc_wire::stream::{EOF_PAYLOAD, Initial, StreamResponse};

use super::incoming::{Answer, Incoming, Stage};
use super::sink::Sink;
use crate::dispatch::{decode, undecodable};
use crate::error::DispatchError;
use crate::payload::Undecodable;
use crate::tracing_event::ReceivedResponse;

pub(super) const INITIAL: &str = "client-side streaming_rpc initial_response un-bin-io'ing";
const HEADER: &str = "client-side streaming_rpc response un-bin-io'ing";
pub(super) const UPDATE: &str =
    "client-side streaming_rpc response un-bin-io'ing to [bin_reader_update]";

/// What one response amounts to.
pub(super) enum Item<S: Sink, E> {
    Answer(Answer<S::Initial, E>),
    Update(S::Update),
    End,
    /// The user's error, which nobody wants to know.
    Refused,
    Failed(DispatchError),
    Swallowed,
}

impl<S: Sink, E> Incoming<S, E> {
    /// Decodes without holding the lock: decoders and callbacks are the user's.
    pub(super) fn item(&self, stage: Stage, data: Data<'_>) -> Item<S, E> {
        let payload = data.bytes();
        if stage != Stage::Opening && payload == Ok(EOF_PAYLOAD) {
            return Item::End;
        }
        let payload = match payload {
            Ok(payload) => payload,
            Err(overlong) => {
                let error = Undecodable::wrong_length(overlong);
                return Item::Failed(undecodable(HEADER, error));
            }
        };
        match stage {
            Stage::Opening => self.initial(payload),
            // Only whether the stream goes on matters.
            Stage::Unwanted => match Initial::split(payload) {
                Ok((Initial::Error, _)) => Item::Refused,
                Ok((Initial::Ok, _)) | Err(_) => Item::Swallowed,
            },
            Stage::Open => self.response(payload),
            Stage::Ending | Stage::Over => Item::Swallowed,
        }
    }

    fn initial(&self, payload: &[u8]) -> Item<S, E> {
        let (initial, value) = match Initial::split(payload) {
            Ok(split) => split,
            Err(error) => return Item::Failed(undecodable(INITIAL, Undecodable::new(error))),
        };
        match initial {
            Initial::Ok => match self.definition.sink.initial(value) {
                Ok(initial) => Item::Answer(Ok(Ok(initial))),
                Err(error) => Item::Failed(error),
            },
            // Nothing follows the user's error, so even an undecodable one ends the stream.
            Initial::Error => {
                let error = decode(Data::new(value), self.definition.error, INITIAL);
                Item::Answer(error.map(Err))
            }
        }
    }

    /// Takes the user's update.
    fn update(&self, update: Data<'_>) -> Item<S, E> {
        let sink = &self.definition.sink;
        let mut own = sink.lend();
        let taken = sink.update(&mut own, update);
        sink.give_back(own);
        match taken {
            Ok(update) => Item::Update(update),
            Err(error) => Item::Failed(*error),
        }
    }

    fn response(&self, payload: &[u8]) -> Item<S, E> {
        let mut reader = Reader::new(payload);
        let response = StreamResponse::bin_read(&mut reader).map_err(Undecodable::new);
        let response = response.and_then(|response| {
            let finished = reader.finish().map_err(Undecodable::wrong_length);
            finished.map(|()| response)
        });
        match response {
            Ok(StreamResponse::Ok(update)) => self.update(update),
            Ok(StreamResponse::Eof) => Item::End,
            Err(error) => Item::Failed(undecodable(HEADER, error)),
        }
    }
}

impl<S: Sink, E> Item<S, E> {
    /// What the response was in the eyes of the listeners (rules T-C13 to T-C19).
    pub(super) fn kind(&self, induced: Option<&DispatchError>) -> ReceivedResponse {
        match (self, induced) {
            (Self::Answer(Ok(Err(_))) | Self::Refused, _) => {
                ReceivedResponse::ResponseFinishedUserDefinedError
            }
            (Self::Answer(Err(error)), _) | (Self::End, Some(error)) => {
                ReceivedResponse::ResponseFinishedRpcErrorOrExn(error.to_rpc_error())
            }
            (Self::End, None) => ReceivedResponse::ResponseFinishedOk,
            (Self::Answer(Ok(Ok(_))) | Self::Update(_) | Self::Failed(_) | Self::Swallowed, _) => {
                ReceivedResponse::PartialResponse
            }
        }
    }

    /// Why the response makes no sense, if it does not.
    pub(super) fn error(&self) -> Option<&DispatchError> {
        match self {
            Self::Failed(error) | Self::Answer(Err(error)) => Some(error),
            Self::Answer(Ok(_)) | Self::Update(_) | Self::End | Self::Refused | Self::Swallowed => {
                None
            }
        }
    }
}
