//! Somebody who reads a durable subscription, in some manner, and now and then does something
//! else.

use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::task::Poll;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::task::coop::consume_budget;
use tokio::time::{Instant, sleep, sleep_until, timeout};

use super::DurableValue;
use super::form::{Events, subscribed};
use crate::fact::{Fact, Seen, Subscribed};
use crate::names::{ConsumerName, SubscriptionName};
use crate::plan::action::Whim;
use crate::plan::{ConsumerPlan, Manner, TRY_AGAIN};
use crate::random::Random;
use crate::world::World;

/// What a consumer is told to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Command {
    /// Something other than reading.
    Whim(Whim),
    /// From now on to read whatever comes, at once.
    Hurry,
    /// To end.
    Finish,
}

/// Somebody who reads a durable subscription.
#[derive(Debug)]
pub struct Consumer {
    /// Who.
    pub name: ConsumerName,
    /// How.
    pub plan: ConsumerPlan,
    /// Through what.
    pub durable: DurableValue,
    /// Who is told.
    pub world: World,
    /// For names of subscriptions.
    pub subscriptions: Arc<AtomicU32>,
    /// For pauses.
    pub random: Random,
    /// What to do.
    pub commands: mpsc::UnboundedReceiver<Command>,
}

/// What came first.
enum First<T> {
    Command(Command),
    Done(T),
}

/// Why a subscription is over.
enum Over {
    /// The next one is made after this time.
    For(Duration),
    /// The next one is made now, and dropped after this time.
    TurnsBack(Duration),
    Finished,
}

impl Consumer {
    /// Subscribes and reads until it is told to end.
    pub async fn run(mut self) {
        loop {
            let absence = match self.subscription().await {
                Over::For(absence) => absence,
                Over::TurnsBack(stays) => {
                    self.turn_back(stays).await;
                    TRY_AGAIN
                }
                Over::Finished => return,
            };
            let mut over = pin!(sleep(absence));
            loop {
                match first(&mut self.commands, over.as_mut()).await {
                    First::Command(Command::Finish) => return,
                    First::Command(command) => self.hurry(command),
                    First::Done(()) => break,
                }
            }
        }
    }

    /// What it tells when it subscribes.
    fn subscribes(&self) -> Subscribed {
        let number = self.subscriptions.fetch_add(1, Ordering::Relaxed);
        let told = Subscribed {
            subscription: SubscriptionName(number),
            consumer: self.name,
            plan: self.plan,
        };
        self.world.tell(Fact::Subscribed(told));
        told
    }

    /// Subscribes, and has lost interest before long. Commands wait meanwhile.
    async fn turn_back(&self, stays: Duration) {
        let told = self.subscribes();
        let name = told.subscription;
        let mut reading = pin!(async {
            let events = subscribed(&told, &self.durable, &self.world).await;
            let mut events = match events {
                Ok(events) => events,
                Err(why) => return self.world.tell(Fact::NotSubscribed(name, why)),
            };
            while let Some(seen) = events.next().await {
                self.world.tell(Fact::Saw(name, seen));
                // Events that are all there at once do not keep time from passing.
                consume_budget().await;
            }
            // Rule D-EV-4: there is no such end. The invariants say so.
            self.world.tell(Fact::Ended(name));
        });
        if timeout(stays, reading.as_mut()).await.is_err() {
            self.world.tell(Fact::Closed(name));
        }
    }

    /// From subscribing to closing.
    async fn subscription(&mut self) -> Over {
        let told = self.subscribes();
        let name = told.subscription;
        let (durable, world) = (self.durable.clone(), self.world.clone());
        let mut subscribing = pin!(subscribed(&told, &durable, &world));
        let events = loop {
            match first(&mut self.commands, subscribing.as_mut()).await {
                First::Done(Ok(events)) => break events,
                First::Done(Err(why)) => {
                    self.world.tell(Fact::NotSubscribed(name, why));
                    return Over::For(TRY_AGAIN);
                }
                First::Command(Command::Finish) => {
                    self.world.tell(Fact::Closed(name));
                    return Over::Finished;
                }
                First::Command(Command::Whim(Whim::Closes(absence) | Whim::Drops(absence))) => {
                    self.world.tell(Fact::Closed(name));
                    return Over::For(absence);
                }
                First::Command(Command::Whim(Whim::TurnsBack(stays))) => {
                    self.world.tell(Fact::Closed(name));
                    return Over::TurnsBack(stays);
                }
                First::Command(command) => self.hurry(command),
            }
        };
        self.read(name, events).await
    }

    async fn read(&mut self, name: SubscriptionName, mut events: Box<dyn Events>) -> Over {
        let mut pause_ends = Instant::now();
        loop {
            let command = if pause_ends > Instant::now() {
                match first(&mut self.commands, sleep_until(pause_ends)).await {
                    First::Command(command) => command,
                    First::Done(()) => continue,
                }
            } else {
                let next = next(&mut *events, self.plan.manner, &mut self.random);
                match first(&mut self.commands, next).await {
                    First::Command(command) => command,
                    First::Done(None) => continue,
                    First::Done(Some(Some(seen))) => {
                        self.world.tell(Fact::Saw(name, seen));
                        if let Manner::Slow(most) = self.plan.manner {
                            pause_ends += self.random.millis(0, millis(most));
                            pause_ends = pause_ends.max(Instant::now());
                        }
                        continue;
                    }
                    First::Done(Some(None)) => {
                        // Rule D-EV-4: there is no such end. The invariants say so.
                        self.world.tell(Fact::Ended(name));
                        return Over::Finished;
                    }
                }
            };
            match command {
                Command::Whim(Whim::Pauses(lasts)) => {
                    self.world.tell(Fact::Pauses(name, lasts));
                    pause_ends = pause_ends.max(Instant::now() + lasts);
                }
                Command::Whim(Whim::Closes(absence)) => {
                    self.close(name, events).await;
                    return Over::For(absence);
                }
                Command::Whim(Whim::Drops(absence)) => {
                    self.world.tell(Fact::Closed(name));
                    return Over::For(absence);
                }
                Command::Whim(Whim::TurnsBack(stays)) => {
                    self.world.tell(Fact::Closed(name));
                    return Over::TurnsBack(stays);
                }
                Command::Whim(Whim::Resubscribes) => {
                    if events.resubscribe() {
                        self.world.tell(Fact::Resubscribes(name));
                    }
                }
                Command::Hurry => {
                    pause_ends = Instant::now();
                    self.hurry(command);
                }
                Command::Finish => {
                    if self.random.one_in(2) {
                        self.close(name, events).await;
                    } else {
                        self.world.tell(Fact::Closed(name));
                    }
                    return Over::Finished;
                }
            }
        }
    }

    /// Closes a subscription and reads on, which must give nothing more (rule D-CL-2).
    async fn close(&mut self, name: SubscriptionName, mut events: Box<dyn Events>) {
        self.world.tell(Fact::Closed(name));
        if !events.close() {
            return;
        }
        match events.next().await {
            None => self.world.tell(Fact::Ended(name)),
            Some(seen) => self.world.tell(Fact::Saw(name, seen)),
        }
        events.close();
    }

    fn hurry(&mut self, command: Command) {
        if command == Command::Hurry {
            self.plan.manner = Manner::Prompt;
        }
    }
}

/// The next event; `None` if the consumer has given up waiting for it.
async fn next(
    events: &mut dyn Events,
    manner: Manner,
    random: &mut Random,
) -> Option<Option<Seen>> {
    match manner {
        Manner::Prompt | Manner::Slow(_) => Some(events.next().await),
        Manner::Impatient => timeout(random.millis(0, 400), events.next()).await.ok(),
    }
}

/// Commands come first; a future that is not done then is dropped.
async fn first<T>(
    commands: &mut mpsc::UnboundedReceiver<Command>,
    future: impl Future<Output = T>,
) -> First<T> {
    let mut future = pin!(future);
    std::future::poll_fn(|cx| {
        if let Poll::Ready(command) = commands.poll_recv(cx) {
            return Poll::Ready(First::Command(command.unwrap_or(Command::Finish)));
        }
        future.as_mut().poll(cx).map(First::Done)
    })
    .await
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
