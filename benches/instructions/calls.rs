//! Calls and updates between two connections in memory: what a runtime adds to the codec.
//!
//! Both ends run on one thread, so the order of things is the same in every run. The transport is a
//! pipe in memory, whose copies are counted with the rest.

use std::{
    collections::VecDeque,
    convert::Infallible,
    iter,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use durable_rpc::{Durable, pipe};
use futures_core::Stream;
use rpc_core::{
    Connection, DispatchError, Implementations, OneWay, Pipe, PipeRpc, Rpc, connection::Config,
};
use rpc_versioned::{CallError, ConnectionWithMenu, callee_converts, caller_converts};
use tokio::runtime::Runtime;

static ECHO: Rpc<Vec<u8>, Vec<u8>> = Rpc::new("echo", 1);
static NOTE: OneWay<Vec<u8>> = OneWay::new("note", 1);
static COUNT: PipeRpc<(), i64, String> = PipeRpc::new("count", 1);

/// Room for all that is in flight.
const PIPE_BYTES: usize = 1024 * 1024;

/// Two ends on a runtime.
struct Pair {
    runtime: Runtime,
    caller: Connection,
    _callee: Connection,
}

impl Pair {
    fn new() -> Self {
        let implementations = Implementations::<()>::builder()
            .implement(&ECHO, |_state, query| async move { Ok(query) })
            .implement_one_way(&NOTE, |_state, _query| async { Ok(()) })
            .implement_pipe(&COUNT, |_state, ()| async { Ok(Ok(Counter(0))) })
            .build()
            .expect("three different names");
        Self::serving(&implementations)
    }

    fn serving(implementations: &Implementations<()>) -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .build()
            .expect("a runtime without I/O");
        let (near, far) = tokio::io::duplex(PIPE_BYTES);
        let (caller, callee) = runtime.block_on(async {
            let (caller, callee) = tokio::join!(
                Connection::create(near, Config::default()),
                Connection::serve(far, Config::default(), implementations, |_| ()),
            );
            (caller.expect("caller"), callee.expect("callee"))
        });
        Self {
            runtime,
            caller,
            _callee: callee,
        }
    }

    /// Runs this and, beside it, both ends.
    fn run<T>(&self, future: impl Future<Output = T>) -> T {
        self.runtime.block_on(future)
    }
}

/// Updates without an end.
struct Counter(i64);

impl Stream for Counter {
    type Item = i64;

    fn poll_next(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<i64>> {
        self.0 += 1;
        Poll::Ready(Some(self.0))
    }
}

/// `in_flight` calls, and all their answers.
pub(crate) fn calls(in_flight: usize) -> Box<dyn FnMut()> {
    let pair = Pair::new();
    let query = vec![7; 32];
    let mut waiting = VecDeque::with_capacity(in_flight);
    Box::new(move || {
        let answered: Result<(), DispatchError> = pair.run(async {
            waiting.extend((0..in_flight).map(|_| ECHO.dispatch(&pair.caller, &query)));
            while let Some(call) = waiting.pop_front() {
                assert_eq!(call.await?, query);
            }
            Ok(())
        });
        answered.expect("answers");
    })
}

/// The same through converters at both ends, which convert nothing.
pub(crate) fn converted_calls(in_flight: usize) -> Box<dyn FnMut()> {
    let callee = callee_converts::Rpc::builder("echo").version(&ECHO, Ok, Ok);
    let callee = callee.build().expect("one version");
    let echo = callee.implement(|_state, _version, query: Vec<u8>| async move { Ok(query) });
    let implementations = Implementations::<()>::builder().implementations(echo);
    let pair = Pair::serving(&implementations.build().expect("one version"));
    let caller = caller_converts::Rpc::builder("echo").version(&ECHO, Ok, Ok);
    let caller = caller.build().expect("one version");
    let with_menu = pair.run(ConnectionWithMenu::request(pair.caller.clone()));
    let with_menu = with_menu.expect("a menu");
    let query = vec![7; 32];
    let mut waiting = VecDeque::with_capacity(in_flight);
    Box::new(move || {
        let answered: Result<(), CallError> = pair.run(async {
            waiting.extend((0..in_flight).map(|_| caller.dispatch(&with_menu, query.clone())));
            while let Some(call) = waiting.pop_front() {
                assert_eq!(call.await?, query);
            }
            Ok(())
        });
        answered.expect("answers");
    })
}

/// `count` messages without an answer, handled by the callee.
pub(crate) fn one_way(count: usize) -> Box<dyn FnMut()> {
    noting(move |caller, note| {
        for _ in 0..count {
            NOTE.dispatch(caller, note).expect("room");
        }
    })
}

/// The same, dispatched together.
pub(crate) fn one_way_together(count: usize) -> Box<dyn FnMut()> {
    noting(move |caller, note| {
        let notes = iter::repeat_n(note, count);
        NOTE.dispatch_all(caller, notes).expect("room");
    })
}

fn noting(send: impl Fn(&Connection, &Vec<u8>) + 'static) -> Box<dyn FnMut()> {
    let pair = Pair::new();
    let note = vec![7; 32];
    Box::new(move || {
        pair.run(async {
            send(&pair.caller, &note);
            // The answer of a call says that the callee has handled what came before it.
            ECHO.dispatch(&pair.caller, &note).await.expect("an answer");
        });
    })
}

/// `count` updates of one pipe.
pub(crate) fn updates(count: i64) -> Box<dyn FnMut()> {
    let pair = Pair::new();
    let counting = pair.run(COUNT.dispatch(&pair.caller, &()));
    let mut updates: Pipe<i64> = counting.expect("a pipe").expect("no refusal");
    let mut received = 0;
    Box::new(move || {
        pair.run(async {
            for _ in 0..count {
                received += 1;
                assert_eq!(updates.next().await, Some(received));
            }
        });
    })
}

/// `count` updates of one durable subscription.
pub(crate) fn durable_updates(count: i64) -> Box<dyn FnMut()> {
    let pair = Pair::new();
    let connection = pair.caller.clone();
    let durable = Durable::new(
        move || std::future::ready(Ok::<_, Infallible>(connection.clone())),
        Connection::is_closed,
    );
    let mut events = pipe::create(&COUNT, &durable, (), Duration::ZERO);
    let mut received = 0;
    Box::new(move || {
        pair.run(async {
            let end = received + count;
            while received < end {
                if let Some(pipe::Event::Update(update)) = events.next().await {
                    received += 1;
                    assert_eq!(update, received);
                }
            }
        });
    })
}
