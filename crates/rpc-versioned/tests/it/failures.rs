//! Conversions that fail, and conversions that panic, at every place where there is one: each does what
//! the rule says and nothing else.
//!
//! Every place is tried beside a stream and a pending call of the same connection, and beside those of
//! another connection; all of them have to go on, and nothing may be left in any table.

mod callee;
mod callee_streams;
mod caller;
mod caller_streams;
mod mapped;

use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, ready};

use futures_core::Stream;
use rpc_core::{
    Connection, DirectStreamWriter, DispatchError, Implementation, Implementations, OneWay, Pipe,
    PipeRpc, Rpc, StateRpc,
};
use rpc_versioned::ConnectionWithMenu;
use rpc_versioned::caller_converts::PipeMessage;
use rpc_versioned::convert::{Convert, Unconvertible};
use rpc_wire::ProtocolVersion;
use tokio::sync::Notify;
use tokio::task::JoinHandle;

use crate::pair::{Updates, endless, pair, settle, updates};

/// What is converted. Of a query n the stream has the updates 1 to n and its end; of 0 it has 1 to 3 and
/// no end; a negative one is refused. The state is 100.
static SQUARE: Rpc<i64, i64> = Rpc::new("square", 1);
static NOTE: OneWay<i64> = OneWay::new("note", 1);
static COUNT: PipeRpc<i64, i64, String> = PipeRpc::new("count", 1);
static COUNTER: StateRpc<i64, i64, i64, String> = StateRpc::new("counter", 1);

/// What goes on meanwhile.
static TICKS: PipeRpc<(), i64, ()> = PipeRpc::new("ticks", 1);
static WAIT: Rpc<i64, i64> = Rpc::new("wait", 1);
static ECHO: Rpc<i64, i64> = Rpc::new("echo", 1);

/// Why, in either way.
const TEXT: &str = "on purpose";

/// The callee's own error, before and after a conversion that succeeds.
const REFUSAL: &str = "negative";

/// In which way a conversion does not succeed.
#[derive(Clone, Copy, Debug)]
enum How {
    Fails,
    Panics,
}

impl How {
    fn fail<T>(self) -> Result<T, Unconvertible> {
        match self {
            Self::Fails => Err(Unconvertible::new(TEXT)),
            Self::Panics => panic!("{TEXT}"),
        }
    }

    /// Does not convert this value, and leaves others as they are.
    fn at<T: PartialEq + Clone + Send + Sync + 'static>(self, bad: T) -> impl Convert<T, T> {
        move |value| {
            if value == bad {
                return self.fail();
            }
            Ok(value)
        }
    }

    /// Does not convert anything.
    fn always<T>(self) -> impl Convert<T, T> {
        move |_| self.fail()
    }

    /// A stream with every item converted by [`at`](Self::at): what raw forms make.
    fn each<St>(self, updates: St, bad: i64) -> Each<St> {
        Each {
            updates,
            how: self,
            bad,
        }
    }
}

/// See [`How::each`].
struct Each<St> {
    updates: St,
    how: How,
    bad: i64,
}

impl<St: Stream<Item = i64> + Unpin> Stream for Each<St> {
    type Item = Result<i64, Unconvertible>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = self.get_mut();
        let update = ready!(Pin::new(&mut this.updates).poll_next(cx));
        Poll::Ready(update.map(|update| this.how.at(this.bad)(update)))
    }
}

/// The answer to a query for a stream.
fn answer(query: i64) -> Result<Updates<i64>, String> {
    match query {
        0 => Ok(endless(1..=3)),
        1.. => Ok(updates(1..=query)),
        _ => Err(REFUSAL.to_owned()),
    }
}

/// What the callee knows of one connection.
#[derive(Clone, Debug, Default)]
struct State {
    writers: Arc<Mutex<Vec<DirectStreamWriter<i64>>>>,
    go: Arc<Notify>,
    noted: Arc<Mutex<Vec<i64>>>,
}

/// A callee that converts nothing.
fn direct() -> Vec<Implementation<State>> {
    vec![
        Implementation::blocking(&SQUARE, |_, number| Ok(number * number)),
        Implementation::one_way(&NOTE, |state: &State, number| {
            state.noted.lock().unwrap().push(number);
            async { Ok(()) }
        }),
        Implementation::pipe(&COUNT, |_, query| async move { Ok(answer(query)) }),
        Implementation::state(&COUNTER, |_, query| async move {
            Ok(answer(query).map(|updates| (100, updates)))
        }),
    ]
}

/// What the bystanders ask.
fn bystanding() -> [Implementation<State>; 3] {
    [
        Implementation::pipe_direct(&TICKS, |state: &State, (), writer| {
            state.writers.lock().unwrap().push(writer);
            async { Ok(Ok(())) }
        }),
        Implementation::plain(&WAIT, |state: &State, number| {
            let go = state.go.clone();
            async move {
                go.notified().await;
                Ok(number)
            }
        }),
        Implementation::blocking(&ECHO, |_, number| Ok(number)),
    ]
}

/// One connection with an open stream and a pending call that have nothing to do with what is tried.
struct Bystander {
    caller: ConnectionWithMenu,
    callee: Connection,
    state: State,
    ticks: Pipe<i64>,
    pending: JoinHandle<Result<i64, DispatchError>>,
}

impl Bystander {
    async fn start(table: &Implementations<State>) -> Self {
        let state = State::default();
        let (caller, callee) = pair(ProtocolVersion::MAX, table, state.clone()).await;
        let ticks = TICKS.dispatch(&caller, &()).await.unwrap().unwrap();
        let pending = tokio::spawn(WAIT.dispatch(&caller, &5));
        settle().await;
        Self {
            caller: ConnectionWithMenu::request(caller).await.unwrap(),
            callee,
            state,
            ticks,
            pending,
        }
    }

    /// Nothing is open but the stream and the call.
    #[track_caller]
    fn assert_alone(&self) {
        assert_eq!(self.caller.connection().open_queries(), 2);
        assert_eq!(self.callee.served_streams(), 1);
    }

    /// All of it goes on, to its ordinary end, and nothing is left.
    async fn goes_on(mut self) {
        let connection = self.caller.connection();
        let writer = self.state.writers.lock().unwrap().pop().unwrap();
        writer.write(&7).unwrap();
        assert_eq!(self.ticks.next().await, Some(7));
        assert_eq!(ECHO.dispatch(connection, &8).await.unwrap(), 8);
        self.state.go.notify_waiters();
        assert_eq!(self.pending.await.unwrap().unwrap(), 5);
        writer.close();
        assert_eq!(self.ticks.next().await, None);
        self.ticks.close_reason().await.into_result().unwrap();
        settle().await;
        assert_eq!(connection.open_queries(), 0);
        assert_eq!(self.callee.served_streams(), 0);
        assert!(!connection.is_closed() && !self.callee.is_closed());
    }
}

/// Two connections to one callee, with their bystanders.
async fn bystanders(implementations: Vec<Implementation<State>>) -> [Bystander; 2] {
    let table = Implementations::builder()
        .implementations(implementations)
        .implementations(bystanding())
        .build()
        .unwrap();
    [
        Bystander::start(&table).await,
        Bystander::start(&table).await,
    ]
}

/// Tries a place in both ways, beside the bystanders.
async fn check(
    callee: impl Fn(How) -> Vec<Implementation<State>>,
    ask: impl AsyncFn(How, &ConnectionWithMenu),
) {
    for how in [How::Fails, How::Panics] {
        let [here, elsewhere] = bystanders(callee(how)).await;
        ask(how, &here.caller).await;
        settle().await;
        here.assert_alone();
        elsewhere.assert_alone();
        here.goes_on().await;
        elsewhere.goes_on().await;
    }
}

/// The same of a caller's conversion.
async fn check_caller(ask: impl AsyncFn(How, &ConnectionWithMenu)) {
    check(|_| direct(), ask).await;
}

/// The callback of a dispatch that fails before there is a stream.
fn not_called(message: PipeMessage<i64>) {
    panic!("{message:?}");
}

/// Runs this, and nothing is sent meanwhile.
async fn without_sending<T>(peer: &ConnectionWithMenu, run: impl AsyncFnOnce() -> T) -> T {
    let connection = peer.connection();
    let sent = || connection.bytes_written() + connection.bytes_to_write();
    let before = sent();
    let result = run().await;
    settle().await;
    assert_eq!(sent(), before);
    result
}
