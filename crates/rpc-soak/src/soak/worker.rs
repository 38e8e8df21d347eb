//! One caller: connects, does things at random, ends in a random way, and begins again.

use std::fmt;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use rpc_core::connection::Close;
use rpc_core::{Connection, DispatchError};
use rpc_wire::RpcError;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use super::connect::connect;
use super::ledger::{Done, Fault, Ledger};
use super::rpcs::{BACK, ECHO, FAIL, MISSING, NOTE, NUMBER, SLEEP};
use super::world::World;
use super::{expert, grammar, member, metadata, stream};
use crate::chance::Chance;

/// Longer than anything may wait: heartbeats give a dead peer up after six seconds.
const PATIENCE: Duration = Duration::from_secs(60);

/// Somebody who does things on a connection.
pub(super) struct Caller {
    world: Arc<World>,
    pub(super) connection: Connection,
    pub(super) chance: Chance,
    /// The numbers that the first caller of a connection sends grow.
    next_number: Option<i64>,
    /// Whether each query carries its id.
    pub(super) sends_ids: bool,
}

/// Goes on until it is over.
pub(super) async fn work(world: Arc<World>, mut chance: Chance) {
    while !world.ledger.over.load(Ordering::Relaxed) {
        let Some(connection) = connect(&world, &mut chance).await else {
            // Not as fast as the system can refuse.
            sleep(Duration::from_millis(chance.below(20))).await;
            continue;
        };
        world.ledger.did(Done::Connections);
        live(&world, connection, &mut chance).await;
    }
}

/// A connection's life: some callers at once, and an end.
async fn live(world: &Arc<World>, connection: Connection, chance: &mut Chance) {
    let ledger = &world.ledger;
    let watching = chance
        .one_in(4)
        .then(|| grammar::watch(&connection, ledger));
    let sends_ids = chance.one_in(3) && metadata::send_ids(&connection);
    let mut callers = JoinSet::new();
    for number in 0..=chance.below(3) {
        let mut caller = Caller {
            world: world.clone(),
            connection: connection.clone(),
            chance: chance.fork(),
            next_number: (number == 0).then_some(0),
            sends_ids,
        };
        callers.spawn(async move { caller.call().await });
    }
    let sudden = chance.one_in(4);
    if sudden {
        ledger.fault(Fault::SuddenEnd);
        sleep(Duration::from_millis(chance.below(100))).await;
    } else {
        join(ledger, &mut callers).await;
    }
    match chance.below(4) {
        0 => connection.close(),
        1 => connection.close_with_reason("enough"),
        2 => connection.close_with(
            Close::new()
                .reason("soon")
                .wait_for_open_queries(Duration::from_millis(chance.below(300))),
        ),
        // Callers that are cut off in the middle of whatever they do.
        _ => {
            callers.shutdown().await;
            connection.close();
        }
    }
    if timeout(PATIENCE, connection.closed()).await.is_err() {
        ledger.violated(format_args!("{connection:?} does not end"));
    }
    join(ledger, &mut callers).await;
    let left = (
        connection.open_queries(),
        connection.served_streams(),
        connection.bytes_to_write(),
    );
    ledger.check(left == (0, 0, 0), format_args!("left behind: {left:?}"));
    drop(watching);
}

async fn join(ledger: &Ledger, callers: &mut JoinSet<()>) {
    while let Some(ended) = callers.join_next().await {
        if let Err(error) = ended
            && error.is_panic()
        {
            ledger.violated(format_args!("a caller panicked: {error}"));
        }
    }
}

impl Caller {
    pub(super) fn ledger(&self) -> &Arc<Ledger> {
        &self.world.ledger
    }

    /// Whether everybody is to come to an end.
    pub(super) fn is_over(&self) -> bool {
        self.ledger().over.load(Ordering::Relaxed)
    }

    pub(super) fn check(&self, holds: bool, otherwise: fmt::Arguments<'_>) {
        self.ledger().check(holds, otherwise);
    }

    /// What the future results in; `None`, and a violation, if it never does.
    pub(super) async fn in_time<F: Future>(&self, future: F) -> Option<F::Output> {
        let result = timeout(PATIENCE, future).await;
        self.check(result.is_ok(), format_args!("waited in vain"));
        result.ok()
    }

    /// The answer to a dispatch, unless it is forgotten at a random moment, or its connection has
    /// ended. Counts exactly one outcome, whatever happens.
    pub(super) async fn outcome<T>(
        &mut self,
        dispatch: impl Future<Output = Result<T, DispatchError>>,
    ) -> Option<T> {
        match self.result(dispatch).await? {
            Ok(answer) => Some(answer),
            Err(error) => {
                let over = self.connection.is_closed();
                self.check(over, format_args!("failed by itself: {error:?}"));
                None
            }
        }
    }

    async fn result<T>(
        &mut self,
        dispatch: impl Future<Output = Result<T, DispatchError>>,
    ) -> Option<Result<T, DispatchError>> {
        let outcome = Outcome::new(self.ledger());
        let mut dispatch = pin!(dispatch);
        if self.chance.one_in(15) {
            let moment = Duration::from_micros(self.chance.below(3000));
            // Forgotten where it stands.
            let result = timeout(moment, dispatch).await.ok()?;
            return Some(outcome.of(result));
        }
        let result = self.in_time(dispatch.as_mut()).await?;
        Some(outcome.of(result))
    }

    async fn call(&mut self) {
        for _ in 0..self.chance.size(150) {
            if self.connection.is_closed() || self.is_over() {
                return;
            }
            self.do_something().await;
        }
    }

    async fn do_something(&mut self) {
        let connection = self.connection.clone();
        match self.chance.below(13) {
            0 | 1 => {
                let byte = self.chance.below(256).to_le_bytes()[0];
                let size = usize::try_from(self.chance.size(100_000)).unwrap_or(0);
                let bytes = vec![byte; size];
                if let Some(echo) = self.outcome(ECHO.dispatch(&connection, &bytes)).await {
                    self.check(echo == bytes, format_args!("another echo of {size} bytes"));
                }
            }
            2 => {
                let micros = self.chance.below(20_000).cast_signed();
                let slept = self.outcome(SLEEP.dispatch(&connection, &micros)).await;
                let right = slept.is_none_or(|slept| slept == micros);
                self.check(right, format_args!("{slept:?} instead of {micros}"));
            }
            3 => {
                let text = format!("text {}", self.chance.next());
                let result = self.result(FAIL.dispatch(&connection, &text)).await;
                self.expect_error(result, |error| {
                    matches!(error, RpcError::UncaughtExn(exn) if exn.to_string().contains(&text))
                });
            }
            4 => {
                let result = self.result(MISSING.dispatch(&connection, &())).await;
                self.expect_error(result, |error| {
                    matches!(error, RpcError::UnimplementedRpc(..))
                });
            }
            5 => {
                let number = self.chance.below(1 << 40).cast_signed();
                let back = self.result(BACK.dispatch(&connection, &number)).await;
                // The way back may end before the way there.
                if let Some(Ok(back)) = back {
                    self.check(back == number, format_args!("{back} instead of {number}"));
                }
            }
            6 => self.send_numbers().await,
            7 => expert::call(self).await,
            8 => metadata::ask(self).await,
            9 => member::join(self).await,
            _ => stream::open(self).await,
        }
    }

    /// Numbers in one-way messages and in queries, which have to arrive in this order.
    async fn send_numbers(&mut self) {
        let connection = self.connection.clone();
        for _ in 0..=self.chance.below(20) {
            let Some(number) = self.next_number else {
                return;
            };
            self.next_number = Some(number + 1);
            if self.chance.one_in(2) {
                let sent = match self.chance.one_in(2) {
                    true => NOTE.dispatch(&connection, &number),
                    false => expert::note(&connection, number),
                };
                if sent.is_err() {
                    return;
                }
                self.ledger().did(Done::OneWay);
            } else if let Some(same) = self.outcome(NUMBER.dispatch(&connection, &number)).await {
                self.check(same == number, format_args!("{same} instead of {number}"));
            }
        }
    }

    fn expect_error<T>(
        &self,
        result: Option<Result<T, DispatchError>>,
        expected: impl Fn(&RpcError) -> bool,
    ) {
        match result {
            None => {}
            Some(Ok(_)) => self.check(false, format_args!("answered what has no answer")),
            Some(Err(DispatchError::Rpc(error))) if expected(&error) => {}
            Some(Err(error)) => {
                let over = self.connection.is_closed();
                self.check(over, format_args!("another error: {error:?}"));
            }
        }
    }
}

/// One dispatch, which has exactly one outcome: forgotten, if nothing else is said.
struct Outcome {
    ledger: Arc<Ledger>,
    done: Done,
}

impl Outcome {
    fn new(ledger: &Arc<Ledger>) -> Self {
        ledger.did(Done::Dispatches);
        Self {
            ledger: ledger.clone(),
            done: Done::Forgotten,
        }
    }

    fn of<T>(mut self, result: Result<T, DispatchError>) -> Result<T, DispatchError> {
        self.done = match result {
            Ok(_) => Done::Answers,
            Err(_) => Done::Failures,
        };
        result
    }
}

impl Drop for Outcome {
    fn drop(&mut self) {
        self.ledger.did(self.done);
    }
}
