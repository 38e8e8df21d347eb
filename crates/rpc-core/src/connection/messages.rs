//! What each query and response does when it arrives.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::task::Poll;

use bin_prot::{Info, Sexp};
use rpc_wire::{Data, Message, Query, QueryId, RpcError, stream};
use tokio::task::JoinSet;
use tracing::{Instrument, Span};

use super::admission::Admission;
use super::end::End;
use super::gate::Hold;
use super::output::Stage;
use super::query_run::QueryRun;
use super::reader::Reader;
use super::receivers::Receivers;
use super::run::Run;
use super::serving::Served;
use super::shared::Shared;
use super::streams::Streams;
use super::waiting::{After, Arrived, Note, Receiver, Taken};
use crate::error::HandlerError;
use crate::implementation::{
    BoxFuture, Call, CalledRpc, HandlerKind, Received, Started, Stop, caught, poll_now,
};
use crate::implementations::{Find, Index, Serve};
use crate::query_context::QueryContext;
use crate::tracing_event::{Event, Kind, Turn};

/// Handles a message that is neither query nor response.
#[cold]
pub(super) fn other(shared: &Shared, message: Message<'_>) -> Option<End> {
    match message {
        Message::Heartbeat => {
            shared.liveness.heartbeat_received(&shared.description);
            None
        }
        Message::CloseStarted => {
            shared.output.advance(Stage::PeerClosing);
            None
        }
        Message::CloseReason(info) | Message::CloseReasonDuplicated(info) => {
            Some(End::ByPeer(Box::new(info.into())))
        }
        Message::CloseReasonV2(reason) => Some(End::ByPeer(Box::new((*reason).into()))),
        Message::Metadata(_) | Message::MetadataV2(_) => Some(End::Fatal(Info::from(
            "connection metadata after the handshake",
        ))),
        Message::Query(_) | Message::Response(_) => None,
    }
}

/// Hands the payload of a response, in a frame of `body` bytes, to whoever waits for it.
#[inline]
pub(super) fn payload<'a>(
    shared: &'a Arc<Shared>,
    tasks: &mut JoinSet<Option<Stop>>,
    receivers: &mut Receivers,
    id: QueryId,
    payload: &'a [u8],
    body: usize,
) -> Result<GoesOn, End> {
    if let Some(stream) = receivers.streams.get(id)
        && !shared.events.are_heard()
        && let Some(intake) = stream.intake()
    {
        match intake.update(payload, Note::new(id, body, shared)) {
            Taken::Not => {}
            Taken::Alone => return Ok(GoesOn::Alone),
            Taken::Together => return Ok(GoesOn::Together),
            Taken::Then(after) => {
                let goes_on = follow(shared, tasks, id, stream.receiver(), *after)?;
                if goes_on == GoesOn::Never {
                    receivers.streams.remove(id);
                }
                return Ok(goes_on);
            }
        }
    }
    let result = || Ok(Data::new(payload));
    response(shared, tasks, receivers, id, result, body)
}

/// Hands a response to whoever waits for it (rules C-DI-9, C-DI-10). Its `result` is made where it goes.
#[inline(never)]
pub(super) fn response<'a>(
    shared: &'a Arc<Shared>,
    tasks: &mut JoinSet<Option<Stop>>,
    receivers: &mut Receivers,
    id: QueryId,
    result: impl FnOnce() -> Result<Data<'a>, RpcError>,
    body: usize,
) -> Result<GoesOn, End> {
    let arrived = Arrived {
        result: result(),
        note: Note::new(id, body, shared),
    };
    if let Some(stream) = receivers.streams.get(id) {
        let receiver = stream.receiver();
        let goes_on = follow(shared, tasks, id, receiver, receiver.response(arrived))?;
        if goes_on == GoesOn::Never {
            receivers.streams.remove(id);
        }
        return Ok(goes_on);
    }
    if let Some(call) = receivers.take_call(id, &shared.output) {
        shared.output.count_answer();
        return follow(shared, tasks, id, &call, call.response(arrived));
    }
    let stream = shared.open_streams().get(&id).cloned();
    let Some(stream) = stream else {
        let error = Sexp::list([Sexp::atom("Unknown_query_id"), Sexp::atom(id.to_string())]);
        return Err(End::Stopped(Some(Info::Sexp(error))));
    };
    let goes_on = follow(shared, tasks, id, &stream, stream.response(arrived))?;
    if goes_on != GoesOn::Never {
        receivers.streams.insert(id, stream);
    }
    Ok(goes_on)
}

/// Whether there may be more for the receiver of a response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum GoesOn {
    Never,
    Alone,
    /// It takes all that follows in one go, as [`updates`].
    Together,
}

/// Hands over the updates of one stream that have been read, as long as they follow one another.
pub(super) fn updates(
    shared: &Arc<Shared>,
    tasks: &mut JoinSet<Option<Stop>>,
    streams: &mut Streams,
    id: QueryId,
    reader: &mut Reader,
) -> Result<(), End> {
    let Some(stream) = streams.get(id) else {
        return Ok(());
    };
    let Some(intake) = stream.intake() else {
        return Ok(());
    };
    match intake.updates(&mut Run::new(reader.unread(), id, shared)) {
        After::Keep | After::Stream => {}
        after => {
            if follow(shared, tasks, id, stream.receiver(), after)? == GoesOn::Never {
                streams.remove(id);
            }
        }
    }
    Ok(())
}

/// Does what a receiver has asked for.
fn follow(
    shared: &Arc<Shared>,
    tasks: &mut JoinSet<Option<Stop>>,
    id: QueryId,
    receiver: &Arc<dyn Receiver>,
    after: After,
) -> Result<GoesOn, End> {
    match after {
        After::Keep => Ok(GoesOn::Alone),
        After::Stream => Ok(GoesOn::Together),
        After::Remove => {
            let receiver = shared.open_streams().remove(&id);
            drop(receiver);
            Ok(GoesOn::Never)
        }
        After::Wait(wait) => {
            hold(shared, tasks, receiver.clone(), wait);
            Ok(GoesOn::Alone)
        }
        After::Stop(error) => Err(End::Fatal(error)),
    }
}

/// Lets no further message be handled until `wait` is ready. It was the callback of `receiver`
/// that asked for it.
fn hold(
    shared: &Arc<Shared>,
    tasks: &mut JoinSet<Option<Stop>>,
    receiver: Arc<dyn Receiver>,
    mut wait: BoxFuture<()>,
) {
    match catch_unwind(AssertUnwindSafe(|| poll_now(wait.as_mut()))) {
        Ok(Poll::Ready(())) => return,
        Ok(Poll::Pending) => {}
        Err(panic) => return receiver.wait_failed(HandlerError::from_panic(&*panic)),
    }
    let hold = Hold::new(shared);
    tasks.spawn(async move {
        if let Err(panic) = caught(wait).await {
            receiver.wait_failed(HandlerError::from_panic(&*panic));
        }
        drop(hold);
        None
    });
}

/// Starts answering a query that came in a frame of `body` bytes. Who answers it, if queries that
/// are like it may follow as [`queries`].
pub(super) fn query(
    call: &mut Call,
    callee: &dyn Serve,
    tasks: &mut JoinSet<Option<Stop>>,
    admission: &mut Admission,
    query: Query<'_>,
    body: usize,
) -> Result<Option<Index>, End> {
    let shared = call.shared();
    if shared.output.has_ended() {
        // Nobody can be answered any more (rule C-RD-5).
        return Err(End::Stopped(None));
    }
    if shared.output.is_closing() {
        // Once closing has started, queries of every form are dropped (decision 1).
        return Ok(None);
    }
    let (called, menu_index, found) = match callee.find(query.header.specifier()) {
        Find::Implementation(index) => {
            let menu_index = callee.menu_index(index);
            (index.called_rpc(), menu_index, Some(index))
        }
        Find::Unknown(rpc) => {
            // A menu of the user's own may have what is not implemented.
            let menu_index = shared.local_menu.as_ref().and_then(|menu| menu.rank(rpc));
            let called = CalledRpc::Unknown(Arc::new(rpc.to_description()));
            (called, menu_index, None)
        }
        Find::BadRank(rank) => {
            return Err(End::Fatal(Info::from(format!(
                "query {} names rank {rank}, which our menu does not have",
                query.header.id
            ))));
        }
    };
    call.renew(called, query.header.id, menu_index);
    let shared = call.shared();
    let kind = || found.map_or(HandlerKind::Expert, |index| callee.kind(index));
    if let Some(turn) = shared.events.turn() {
        tell_of_query(&turn, call, kind(), query.data, body);
    }
    let mut met_limit = false;
    if let Some(limit) = admission.refuses(tasks.len()) {
        met_limit = true;
        let kind = kind();
        // What ends a stream makes room.
        if !is_abort(kind, query.data) {
            call.refuse(kind, limit);
            return Ok(None);
        }
    }
    call.show_metadata(&query.header);
    let received = Received {
        context: QueryContext::new(call, &query.header),
        data: query.data,
    };
    // What a hook has made of the metadata is all that is asked of whoever traces.
    let span = call.values().get::<Span>().cloned();
    let handled = catch_unwind(AssertUnwindSafe(|| {
        let _in_span = span.as_ref().map(Span::enter);
        match found {
            Some(index) => callee.handle(index, &received),
            None => callee.handle_unknown(&received),
        }
    }));
    let started = handled.unwrap_or_else(|panic| {
        let error = HandlerError::from_panic(&*panic);
        call.failed(kind(), error).into()
    });
    call.clear();
    match started {
        Started::Done => Ok(found.filter(|_| admission.admits_runs() && !met_limit)),
        Started::Task { future, stream } => {
            go_on(tasks, future, stream, span);
            Ok(None)
        }
        Started::Stop(stop) => Err(stop.into()),
    }
}

/// Answers the queries that have been read behind one that `call` has answered, in a frame of
/// `body` bytes, as long as they are like it.
pub(super) fn queries(
    call: &mut Call,
    callee: &dyn Serve,
    tasks: &mut JoinSet<Option<Stop>>,
    index: Index,
    reader: &mut Reader,
    body: usize,
) -> Result<(), End> {
    let Some((last, unread)) = reader.last_and_unread(body) else {
        return Ok(());
    };
    let Some(mut run) = QueryRun::new(last, unread, call) else {
        return Ok(());
    };
    let handled = catch_unwind(AssertUnwindSafe(|| callee.handle_run(index, &mut run)));
    let started = handled.unwrap_or_else(|panic| {
        let error = HandlerError::from_panic(&*panic);
        run.call().failed(callee.kind(index), error).into()
    });
    match started {
        Started::Done => Ok(()),
        Started::Task { future, stream } => {
            go_on(tasks, future, stream, None);
            Ok(())
        }
        Started::Stop(stop) => Err(stop.into()),
    }
}

/// What a handler has left to do goes on as a task.
fn go_on(
    tasks: &mut JoinSet<Option<Stop>>,
    future: BoxFuture<Option<Stop>>,
    stream: Option<Arc<Served>>,
    span: Option<Span>,
) {
    let task = match span {
        None => tasks.spawn(future),
        Some(span) => tasks.spawn(future.instrument(span)),
    };
    if let Some(stream) = stream {
        stream.set_task(task);
    }
}

/// Whether a query to a handler of this kind asks for the end of a stream.
fn is_abort(kind: HandlerKind, data: Data<'_>) -> bool {
    kind == HandlerKind::Streaming && data.bytes().is_ok_and(stream::is_abort)
}

/// Tells of a query in a frame of `body` bytes (rules T-S1 to T-S21).
#[cold]
fn tell_of_query(turn: &Turn<'_>, call: &Call, kind: HandlerKind, data: Data<'_>, body: usize) {
    let event = Event::Received(match is_abort(kind, data) {
        true => Kind::AbortStreamingRpcQuery,
        false => Kind::Query,
    });
    turn.tell(call.rpc(), call.id(), body, &event);
}
