//! One query being answered: every response passes through here.

mod failing;
mod telling;

use std::sync::Arc;

use bin_prot::BinWrite;
use bytes::Bytes;
use rpc_wire::frame::{self, AppendError};
use rpc_wire::{Data, Description, DescriptionRef, QueryHeader, QueryId, ResponseHeader, RpcError};

use super::handler::{HandlerKind, Stop};
use crate::connection::output::{Appending, Class};
use crate::connection::{Cause, Limit, Shared, Values};
use crate::error::{SendError, failure, located};
use crate::on_exception::OnException;
use crate::payload::{self, Codec, Undecodable};
use crate::rpc::{self, UserErrors};
use crate::tracing_event::SentResponse;
pub(crate) use failing::{too_big, unsendable};

/// Where a query that meets a limit is said to have failed.
const REFUSED_AT: &str = "server-side limits";

/// Which RPC a query is for; costs nothing to keep.
#[derive(Clone, Debug)]
pub(crate) enum CalledRpc {
    /// The one at this place of the table.
    Implemented(usize),
    Menu,
    Unknown(Arc<Description>),
}

/// One query being answered.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    shared: Arc<Shared>,
    rpc: CalledRpc,
    header: ResponseHeader,
    values: Values,
}

impl Call {
    pub(crate) fn new(
        shared: Arc<Shared>,
        rpc: CalledRpc,
        id: QueryId,
        menu_index: Option<usize>,
    ) -> Self {
        let header = ResponseHeader::new(shared.version, id, menu_index);
        Self {
            shared,
            rpc,
            header,
            values: Values::default(),
        }
    }

    /// Makes this the answering of another query on the same connection, which spares counting one
    /// more user of the connection, and one less, for every query that is answered at once.
    pub(crate) fn renew(&mut self, rpc: CalledRpc, id: QueryId, menu_index: Option<usize>) {
        self.rpc = rpc;
        self.header = ResponseHeader::new(self.shared.version, id, menu_index);
    }

    /// The same, of a query for the same RPC.
    #[inline]
    pub(crate) fn renew_id(&mut self, id: QueryId) {
        self.header.id = id;
    }

    /// Lets go of what belongs to the query that has been handled.
    pub(crate) fn clear(&mut self) {
        self.values = Values::default();
    }

    /// Lets the connection's hooks see the query's metadata, and keeps what they make of it.
    pub(crate) fn show_metadata(&mut self, header: &QueryHeader<'_>) {
        let Shared {
            hooks, description, ..
        } = &*self.shared;
        self.values = hooks.on_receive(self.rpc(), header, description);
    }

    pub(crate) fn values(&self) -> &Values {
        &self.values
    }

    /// Name and version of what was called.
    pub(crate) fn rpc(&self) -> DescriptionRef<'_> {
        match &self.rpc {
            CalledRpc::Implemented(index) => match self.shared.implemented.rpc(*index) {
                Some(rpc) => rpc.as_ref(),
                // The index comes from the same table.
                None => rpc::MENU,
            },
            CalledRpc::Menu => rpc::MENU,
            CalledRpc::Unknown(rpc) => rpc.as_ref().as_ref(),
        }
    }

    /// What happens when the handler raises. The menu RPC and what is unknown have the default
    /// (rule R-XN-6).
    pub(crate) fn on_exception(&self) -> &OnException {
        match self.rpc {
            CalledRpc::Implemented(index) => self.shared.implemented.on_exception(index),
            CalledRpc::Menu | CalledRpc::Unknown(_) => &OnException::LogOnBackgroundException,
        }
    }

    pub(crate) fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }

    pub(crate) fn id(&self) -> QueryId {
        self.header.id
    }

    /// Reads the query, or answers that it cannot be read (rule R-PL-3).
    pub(crate) fn decode<Q, C: Codec<Q>>(
        &self,
        data: Data<'_>,
        location: &'static str,
    ) -> Option<Q> {
        match payload::read(data, C::read) {
            Ok(query) => Some(query),
            Err(error) => {
                self.undecodable(location, &error, data);
                None
            }
        }
    }

    pub(crate) fn undecodable(&self, location: &str, error: &Undecodable, data: Data<'_>) {
        self.shared.keep_undecodable(location, error, data);
        self.error(RpcError::BinIoExn(located(location, failure(error))));
    }

    /// Answers with a value. One that is too large, or cannot be encoded, becomes an error
    /// (rule R-PL-6).
    pub(crate) fn respond<R, C: Codec<R>>(
        &self,
        value: &R,
        user_errors: UserErrors<R>,
        kind: HandlerKind,
    ) -> Option<Stop> {
        let payload = C::size(value);
        let size = self.header.message_size(payload);
        let turn = self.shared.events.turn();
        // Not `send_if`, whose result is too large for registers.
        let sent = self.shared.output.send(Class::Response, size, |buffer| {
            self.header.write_before(payload, buffer)?;
            C::write(value, buffer)
        });
        let sent = match turn {
            None => sent,
            Some(turn) => {
                let (sent, kind) = (sent.map(|()| Some(0)), || user_errors.sent(value));
                self.told_of_response(&turn, size, sent, kind).map(drop)
            }
        };
        match sent {
            Ok(()) => None,
            Err(error) => self.not_responded(*error, kind),
        }
    }

    #[cold]
    fn not_responded(&self, error: SendError, kind: HandlerKind) -> Option<Stop> {
        self.give_up_slow_reader(&error);
        self.not_sent(error, kind)
    }

    /// Sends a response of this kind with a payload of `payload` bytes, if `wanted` says so under
    /// the output's lock. Returns how many bytes are buffered then; `None` if it was not wanted.
    /// The kind is asked only if somebody listens (rule R-RE-2).
    pub(crate) fn send_if(
        &self,
        kind: impl FnOnce() -> SentResponse,
        wanted: impl FnOnce() -> bool,
        class: Class,
        payload: usize,
        write: impl FnOnce(&mut Vec<u8>) -> Result<(), bin_prot::WriteError>,
    ) -> Result<Option<usize>, Box<SendError>> {
        let size = self.header.message_size(payload);
        let turn = self.shared.events.turn();
        let sent = self.shared.output.send_if(wanted, class, size, |buffer| {
            self.header.write_before(payload, buffer)?;
            write(buffer)
        });
        let sent = match turn {
            None => sent,
            Some(turn) => self.told_of_response(&turn, size, sent, kind),
        };
        sent.inspect_err(|error| self.give_up_slow_reader(error))
    }

    /// Appends such a response under the output's lock, which the caller holds. Nobody is told.
    #[inline]
    pub(crate) fn append_if(
        &self,
        output: &mut Appending<'_>,
        wanted: impl FnOnce() -> bool,
        class: Class,
        payload: usize,
        write: impl FnOnce(&mut Vec<u8>) -> Result<(), bin_prot::WriteError>,
    ) -> Result<Option<usize>, Box<SendError>> {
        let size = self.header.message_size(payload);
        output.append_if(wanted, class, size, |buffer| {
            self.header.write_before(payload, buffer)?;
            write(buffer)
        })
    }

    /// Size of the body of a response with a payload of `payload` bytes.
    #[inline]
    pub(crate) fn response_size(&self, payload: usize) -> usize {
        self.header.message_size(payload)
    }

    /// Appends the frame of a response to `frames`, for later. Returns the size of its body.
    pub(crate) fn frame(
        &self,
        frames: &mut Vec<u8>,
        payload: usize,
        write: impl FnOnce(&mut Vec<u8>) -> Result<(), bin_prot::WriteError>,
    ) -> Result<usize, AppendError> {
        let limit = self.shared.output.max_message_size();
        let size = self.header.message_size(payload);
        frame::append(frames, limit, size, |buffer| {
            self.header.write_before(payload, buffer)?;
            write(buffer)
        })
    }

    /// Size of the body of an error response.
    pub(crate) fn error_size(&self, error: RpcError) -> usize {
        self.error_response(error).bin_size()
    }

    /// Appends the frame of an error response to `frames`, for later.
    pub(crate) fn frame_error(&self, frames: &mut Vec<u8>, error: RpcError) {
        let response = self.error_response(error);
        let limit = self.shared.output.max_message_size();
        let framed = frame::append(frames, limit, response.bin_size(), |buffer| {
            response.bin_write(buffer)
        });
        if let (Err(failure), Err(error)) = (framed, &response.result) {
            self.cannot_even_fail(error, &failure);
        }
    }

    /// A peer that asks for more and more and does not read the answers is not waited for
    /// (rule C-BP-7).
    pub(crate) fn give_up_slow_reader(&self, error: &SendError) {
        if let SendError::Overfull { buffered, limit } = error {
            let text = format!(
                "peer does not read: {buffered} bytes are waiting for it, allowed are {limit}"
            );
            if self.shared.start_closing(Cause::writer_failed(text)) {
                self.shared.limits_met.add(Limit::BufferedOutput);
            }
        }
    }

    /// The query meets this limit: it is answered, unless nobody waits for an answer, and its
    /// handler does not run.
    #[cold]
    pub(crate) fn refuse(&self, kind: HandlerKind, limit: Limit) {
        self.shared.limits_met.add(limit);
        if matches!(kind, HandlerKind::OneWay | HandlerKind::OneWayExpert) {
            return;
        }
        let exn = failure(format_args!("refused: limit of {} reached", limit.name()));
        self.error(RpcError::UncaughtExn(located(REFUSED_AT, exn)));
    }

    /// Sends what an expert handler responds. Listeners are told when the handler has returned.
    pub(crate) fn send_untold(
        &self,
        payload: usize,
        write: impl FnOnce(&mut Vec<u8>) -> Result<(), bin_prot::WriteError>,
    ) -> Result<(), Box<SendError>> {
        let size = self.header.message_size(payload);
        let output = &self.shared.output;
        let sent = output.send(Class::Response, size, |buffer| {
            self.header.write_before(payload, buffer)?;
            write(buffer)
        });
        sent.inspect_err(|error| self.give_up_slow_reader(error))
    }

    /// The same; a large payload is not copied.
    pub(crate) fn send_shared_untold(&self, payload: &Bytes) -> Result<(), Box<SendError>> {
        let size = self.header.message_size(payload.len());
        let sent = self.shared.output.appending(|buffer| {
            buffer.append_shared(Class::Response, size, payload, |buffer| {
                self.header.write_before(payload.len(), buffer)
            })
        });
        sent.inspect_err(|error| self.give_up_slow_reader(error))
    }

    /// The same with an error, in a form that the peer's version knows.
    pub(crate) fn send_error_untold(&self, error: RpcError) -> Result<(), Box<SendError>> {
        let response = self.error_response(error);
        let output = &self.shared.output;
        let sent = output.send(Class::Response, response.bin_size(), |buffer| {
            response.bin_write(buffer)
        });
        sent.inspect_err(|error| self.give_up_slow_reader(error))
    }
}
