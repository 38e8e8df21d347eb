//! What the handles, the calls and the connection's task have in common.

use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bin_prot::WriteError;
use rpc_wire::frame::AppendError;
use rpc_wire::handshake::{Agreement, PeerMetadata};
use rpc_wire::{
    Data, DescriptionRef, Menu, Message, ProtocolVersion, QueryHeader, QueryId, QueryMetadata,
    stream,
};
use tokio::sync::watch;

use super::Config;
use super::closed::Closed;
use super::closing::Cause;
use super::gate::Gate;
use super::handshake::Agreed;
use super::limit::LimitsMet;
use super::liveness::Liveness;
use super::metadata_hook::Hooks;
use super::output::{Appending, Class, Limits, Output};
use super::ranks::Ranks;
use super::serving::Serving;
use super::waiting::{Answers, OpenStreams, Receiver};
use crate::error::{DispatchError, SendError};
use crate::implementations::Catalogue;
use crate::payload::Undecodable;
use crate::payload::dump::Dumps;
use crate::tracing_event::{Event, Events, Kind, ReceivedResponse, SendFailure, Turn};

/// What most dispatches are made with.
pub(crate) const NO_METADATA: &QueryMetadata = &QueryMetadata::new();

#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) version: ProtocolVersion,
    pub(crate) description: String,
    pub(crate) peer: PeerMetadata,
    ranks: Ranks,
    pub(crate) local_menu: Option<Menu>,
    /// What this side implements, in the order of its table.
    pub(crate) implemented: Arc<Catalogue>,
    /// Bytes of a query's metadata for each key.
    pub(crate) max_metadata_bytes: usize,
    /// Boxed, since hardly any connection has one.
    dumps: Option<Box<Dumps>>,
    pub(crate) hooks: Hooks,
    pub(crate) events: Arc<Events>,
    pub(crate) gate: Gate,
    pub(super) liveness: Liveness,
    pub(crate) limits_met: Arc<LimitsMet>,
    /// Bytes in the bodies of the messages that were read.
    pub(super) bytes_read: AtomicU64,
    pub(crate) output: Output,
    pub(crate) serving: Serving,
    /// Locked inside the output's lock, if both are.
    open_streams: Mutex<OpenStreams>,
    progress: watch::Sender<Progress>,
}

/// How far closing has come in the eyes of the users.
#[derive(Debug)]
enum Progress {
    Open,
    Started(Arc<Closed>),
    Finished(Arc<Closed>),
}

/// What a query says of itself apart from its payload.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Asking<'a> {
    /// Where it is, since copying it takes as long as much else of a dispatch.
    pub(crate) rpc: &'a DescriptionRef<'a>,
    /// What was given with the dispatch, cut to size.
    pub(crate) metadata: &'a QueryMetadata,
    /// Whether the metadata is sent as it is: the hooks are not asked (rule R-EX-22).
    pub(crate) exact: bool,
}

/// What a query message is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Purpose {
    /// Somebody waits for what comes back.
    Call,
    OneWay,
    /// To end a stream.
    Abort,
}

impl Purpose {
    fn class(self) -> Class {
        match self {
            Self::Call | Self::OneWay => Class::Query,
            Self::Abort => Class::Abort,
        }
    }

    fn kind<R>(self) -> Kind<R> {
        match self {
            Self::Call | Self::OneWay => Kind::Query,
            Self::Abort => Kind::AbortStreamingRpcQuery,
        }
    }
}

impl Shared {
    pub(super) fn new(
        config: &Config,
        agreed: Agreed,
        local_menu: Option<Menu>,
        implemented: Arc<Catalogue>,
    ) -> Self {
        let limits = Limits {
            message: config.message_limit(),
            buffered: config.max_buffered_output,
        };
        let Agreement { version, peer } = agreed.agreement;
        Self {
            version,
            description: config.text().to_owned(),
            peer,
            ranks: Ranks::default(),
            local_menu,
            implemented,
            max_metadata_bytes: config.max_metadata_bytes_per_key,
            dumps: config.dumps(),
            hooks: Hooks::default(),
            events: Arc::default(),
            gate: Gate::default(),
            liveness: Liveness::new(config.heartbeats()),
            limits_met: config.allowed.met.clone(),
            bytes_read: AtomicU64::new(0),
            output: Output::new(limits, agreed.bytes_sent, agreed.unsent),
            serving: Serving::new(config.allowed.served_streams),
            open_streams: Mutex::default(),
            progress: watch::Sender::new(Progress::Open),
        }
    }

    pub(crate) fn open_streams(&self) -> MutexGuard<'_, OpenStreams> {
        let open_streams = self.open_streams.lock();
        open_streams.unwrap_or_else(PoisonError::into_inner)
    }

    /// Number of queries without (their last) answer.
    pub(crate) fn open_queries(&self) -> usize {
        let calls = self.output.open_calls();
        usize::try_from(calls).unwrap_or(usize::MAX) + self.open_streams().len()
    }

    /// Keeps a payload that could not be decoded, if the program wants that.
    #[cold]
    pub(crate) fn keep_undecodable(&self, location: &str, error: &Undecodable, data: Data<'_>) {
        if let Some(dumps) = &self.dumps {
            dumps.keep(&self.description, location, error, data.present());
        }
    }

    /// Whether nothing is open that a graceful close waits for (rule C-CL-9).
    pub(super) fn is_idle(&self) -> bool {
        self.serving.deferred() == 0 && self.open_queries() == 0
    }

    /// Sends a query whose answers go to `receiver`. It waits under its id before the message
    /// can leave (rule C-DI-4), and not at all if the message cannot be sent.
    pub(crate) fn call(
        &self,
        asking: Asking<'_>,
        answers: Answers,
        receiver: Arc<dyn Receiver>,
        payload: usize,
        write: impl FnOnce(&mut Vec<u8>) -> Result<(), WriteError>,
    ) -> Result<QueryId, DispatchError> {
        // Kept here if it is not taken: destructors may be the user's, and the output is locked.
        let mut receiver = Some(receiver);
        let register = |output: &mut Appending<'_>, id| {
            let Some(receiver) = receiver.take() else {
                return;
            };
            match answers {
                Answers::One => output.call(id, receiver),
                // Nobody was there before: the id is new.
                Answers::Many => drop(self.open_streams().insert(id, receiver)),
            }
        };
        Ok(self.send_query(Purpose::Call, asking, None, register, payload, write)?)
    }

    /// Sends a query that nobody waits for.
    pub(crate) fn send_one_way(
        &self,
        asking: Asking<'_>,
        payload: usize,
        write: impl FnOnce(&mut Vec<u8>) -> Result<(), WriteError>,
    ) -> Result<(), DispatchError> {
        self.send_query(Purpose::OneWay, asking, None, |_, _| {}, payload, write)?;
        Ok(())
    }

    /// Asks the callee to end a stream. Not sent once either side is closing (rule C-CL-4): the
    /// stream ends with the connection.
    pub(crate) fn send_abort(&self, rpc: DescriptionRef<'_>, id: QueryId) {
        let payload = stream::ABORT_PAYLOAD;
        let asking = Asking {
            rpc: &rpc,
            metadata: NO_METADATA,
            exact: true,
        };
        let write = |buffer: &mut Vec<u8>| {
            buffer.extend_from_slice(payload);
            Ok(())
        };
        let given = Some(id);
        let result = self.send_query(
            Purpose::Abort,
            asking,
            given,
            |_, _| {},
            payload.len(),
            write,
        );
        if let Err(SendError::Frame(error)) = result.map_err(|error| *error) {
            tracing::warn!(connection = self.description, %id, %error, "abort not sent");
        }
    }

    /// Sends a query under the id that is given, or the next one. `register` is called with it once
    /// the message is in the output, and before it can leave; if it cannot be sent, not at all
    /// (rules C-DI-3, C-DI-4).
    #[inline]
    fn send_query(
        &self,
        purpose: Purpose,
        asking: Asking<'_>,
        mut given: Option<QueryId>,
        register: impl FnOnce(&mut Appending<'_>, QueryId),
        payload: usize,
        write: impl FnOnce(&mut Vec<u8>) -> Result<(), WriteError>,
    ) -> Result<QueryId, Box<SendError>> {
        let Asking {
            rpc,
            metadata,
            exact,
        } = asking;
        let asked;
        let metadata = if exact || !self.hooks.are_set() {
            metadata
        } else {
            // The hooks are the user's, and so are called before any lock is taken.
            let id = *given.get_or_insert_with(|| self.output.issue_id());
            asked = self
                .hooks
                .when_sending(*rpc, id, metadata, self.max_metadata_bytes);
            &*asked
        };
        let rank = self.rank(rpc);
        let turn = self.events.turn();
        let (id, size, sent) = self.output.appending(|output| {
            let id = given.unwrap_or_else(|| output.issue_id());
            let class = purpose.class();
            let header = QueryHeader::new(self.version, *rpc, rank, id, metadata);
            let size = header.message_size(payload);
            let sent = output.append_if(
                || true,
                class,
                size,
                |buffer| {
                    header.write_before(payload, buffer)?;
                    write(buffer)
                },
            );
            let sent = sent.map(|_buffered| register(output, id));
            (id, size, sent)
        });
        let sent = sent.map(|()| id);
        match turn {
            None => sent,
            Some(turn) => told_of_query(&turn, purpose, *rpc, id, size, sent),
        }
    }

    /// Where the peer's menu has the RPC, if queries can say so (rule C-OP-5).
    pub(super) fn rank(&self, rpc: &DescriptionRef<'_>) -> Option<usize> {
        if !self.version.has_query_by_rank() {
            return None;
        }
        self.ranks.find(self.peer.menu.as_ref()?, rpc)
    }

    /// Starts closing, unless that has been done. Returns whether it was for this cause.
    pub(crate) fn start_closing(&self, cause: Cause) -> bool {
        let Cause { by, reason, plan } = cause;
        let closed = Arc::new(Closed {
            by,
            reason,
            connection: self.description.clone(),
        });
        let announced = plan.wait.is_some() && self.version.has_close_started();
        let announcement = announced.then_some(Message::CloseStarted);
        let first = self.output.start_closing(&closed, plan, announcement);
        if first {
            // The connection's task may have been quick enough to finish already.
            self.progress.send_if_modified(|progress| {
                let open = matches!(progress, Progress::Open);
                if open {
                    *progress = Progress::Started(closed);
                }
                open
            });
        }
        first
    }

    /// Announces that everything is over.
    pub(super) fn finish(&self) {
        if let Some(closed) = self.output.closed() {
            self.progress.send_replace(Progress::Finished(closed));
        }
    }

    /// Waits until closing has started.
    pub(crate) async fn started(&self) -> Arc<Closed> {
        self.progressed(|progress| match progress {
            Progress::Started(closed) | Progress::Finished(closed) => Some(closed.clone()),
            Progress::Open => None,
        })
        .await
    }

    /// Waits until everything is over.
    pub(crate) async fn finished(&self) -> Arc<Closed> {
        self.progressed(|progress| match progress {
            Progress::Finished(closed) => Some(closed.clone()),
            Progress::Open | Progress::Started(_) => None,
        })
        .await
    }

    async fn progressed(&self, to: impl Fn(&Progress) -> Option<Arc<Closed>>) -> Arc<Closed> {
        let mut progress = self.progress.subscribe();
        loop {
            if let Some(closed) = to(&progress.borrow_and_update()) {
                return closed;
            }
            // The sender lives in `self`.
            if progress.changed().await.is_err() {
                std::future::pending::<()>().await;
            }
        }
    }
}

/// Tells of a query that was sent, or refused for its size (rules T-C1 to T-C6, T-C20). A query
/// that could not be sent because the connection is closed or the output full never was one.
///
/// The result goes through here by value, so that without a listener it need not be in memory.
#[cold]
fn told_of_query(
    turn: &Turn<'_>,
    purpose: Purpose,
    rpc: DescriptionRef<'_>,
    id: QueryId,
    body: usize,
    sent: Result<QueryId, Box<SendError>>,
) -> Result<QueryId, Box<SendError>> {
    match sent.as_ref().map_err(|error| &**error) {
        Ok(_) => {
            turn.tell(rpc, id, body, &Event::Sent(purpose.kind()));
            if purpose != Purpose::Call {
                let nothing = Kind::Response(ReceivedResponse::OneWaySoNoResponse);
                turn.tell(rpc, id, body, &Event::Received(nothing));
            }
        }
        Err(SendError::Frame(AppendError::TooBig { size, .. })) => {
            let event = Event::FailedToSend(purpose.kind(), SendFailure::TooLarge);
            turn.tell(rpc, id, *size, &event);
        }
        Err(SendError::Frame(_) | SendError::Closed(_) | SendError::Overfull { .. }) => {}
    }
    sent
}
