//! Subscriptions of every form, as one type: what differs between them is how they are made, and
//! the types of what they give.

mod followed;
mod versioned;

use std::num::NonZeroUsize;
use std::pin::Pin;

use durable_rpc::{
    AttemptError, Config, Conflated, Event, Overflow, Retry, pipe, state, subscribe,
};
use rpc_core::PipeMetadata;

use super::DurableValue;
use crate::fact::{Seen, Subscribed as Told};
use crate::names::StreamName;
use crate::plan::{Form, Pace};
use crate::wire_types::{BOOK_1, PUSHING_BOOK_1, Question, Snapshot, TICKS, Update};
use crate::world::World;
use followed::Following;

/// A durable subscription of whatever form.
pub(super) trait Events: Send {
    /// As the subscription's.
    fn next(&mut self) -> BoxFuture<'_, Option<Seen>>;

    /// As the subscription's; `false` if the form has no such thing.
    fn close(&mut self) -> bool;

    /// As the subscription's; `false` if the form has no such thing.
    fn resubscribe(&mut self) -> bool;
}

pub(super) type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

type StateSubscription = state::Subscription<Snapshot, Update, String>;

impl Events for StateSubscription {
    fn next(&mut self) -> BoxFuture<'_, Option<Seen>> {
        Box::pin(async { Self::next(self).await.map(seen) })
    }

    fn close(&mut self) -> bool {
        Self::close(self);
        true
    }

    fn resubscribe(&mut self) -> bool {
        Self::resubscribe(self);
        true
    }
}

impl Events for Conflated<Snapshot, Update, String, PipeMetadata> {
    fn next(&mut self) -> BoxFuture<'_, Option<Seen>> {
        Box::pin(async { Self::next(self).await.map(seen) })
    }

    fn close(&mut self) -> bool {
        Self::close(self);
        true
    }

    fn resubscribe(&mut self) -> bool {
        false
    }
}

impl Events for pipe::Subscription<Update, String> {
    fn next(&mut self) -> BoxFuture<'_, Option<Seen>> {
        Box::pin(async { Self::next(self).await.map(seen_in_pipe) })
    }

    fn close(&mut self) -> bool {
        Self::close(self);
        true
    }

    fn resubscribe(&mut self) -> bool {
        Self::resubscribe(self);
        true
    }
}

fn seen(event: Event<Snapshot, Update, String, PipeMetadata>) -> Seen {
    match event {
        Event::AttemptingNewConnection => Seen::Attempting,
        Event::ConnectionSuccess(metadata) => Seen::Success(metadata.id().get()),
        Event::State(state) => Seen::State {
            stream: StreamName(state.stream),
            number: state.number,
        },
        Event::Update(update) => seen_update(&update),
        Event::LostConnection => Seen::Lost,
        Event::FailedToConnect(error) => Seen::Failed(error.to_string()),
        Event::RpcError(error) => Seen::RpcError(error),
    }
}

fn seen_in_pipe(event: pipe::Event<Update, String, PipeMetadata>) -> Seen {
    match event {
        pipe::Event::AttemptingNewConnection => Seen::Attempting,
        pipe::Event::ConnectionSuccess(metadata) => Seen::Success(metadata.id().get()),
        pipe::Event::Update(update) => seen_update(&update),
        pipe::Event::LostConnection => Seen::Lost,
        pipe::Event::FailedToConnect(error) => Seen::Failed(error.to_string()),
        pipe::Event::RpcError(error) => Seen::RpcError(error),
    }
}

fn seen_update(update: &Update) -> Seen {
    Seen::Update {
        stream: StreamName(update.stream),
        indices: (update.first, update.index),
        number: update.number,
        intact: update.is_intact(),
    }
}

/// Subscribes.
///
/// # Errors
/// The first attempt failed, of a form that depends on it.
pub(super) async fn subscribed(
    told: &Told,
    durable: &DurableValue,
    world: &World,
) -> Result<Box<dyn Events>, String> {
    let question = Question::new(told.subscription.0);
    let config = config(told);
    let durable = match durable {
        DurableValue::WithMenu(durable) => {
            return Ok(match told.plan.form {
                Form::Converted => versioned::state(durable, question, config)?,
                Form::ConvertedPipe => versioned::pipe(durable, question, config)?,
                _ => Box::new(subscribe(durable, config, move |connection| {
                    versioned::dispatch(connection, question)
                })),
            });
        }
        DurableValue::Plain(durable) => durable,
    };
    let failed = |error: AttemptError| error.to_string();
    let refused = |error| format!("error {error}");
    let state = |config| state::create(&BOOK_1, durable, question, config);
    Ok(match told.plan.form {
        Form::State | Form::Versioned | Form::Converted | Form::ConvertedPipe => {
            Box::new(state(config))
        }
        Form::PushesBack => Box::new(state::create(&PUSHING_BOOK_1, durable, question, config)),
        Form::StateOrFail => {
            let subscribing = state::create_or_fail(&BOOK_1, durable, question, config);
            Box::new(subscribing.await.map_err(failed)?.map_err(refused)?)
        }
        Form::Pipe => Box::new(pipe::create(&TICKS, durable, question, config)),
        Form::PipeOrFail => {
            let subscribing = pipe::create_or_fail(&TICKS, durable, question, config);
            Box::new(subscribing.await.map_err(failed)?.map_err(refused)?)
        }
        Form::Merging(bound) => conflated(state(config), bound, Overflow::merge(Update::merge)),
        Form::Dropping(bound) => conflated(state(config), bound, Overflow::Resubscribe),
        Form::Waiting(bound) => conflated(state(config), bound, Overflow::Wait),
        Form::Followed => Box::new(Following::new(state(config), told.subscription, world)),
    })
}

fn conflated(
    subscription: StateSubscription,
    bound: usize,
    overflow: Overflow<Update>,
) -> Box<dyn Events> {
    let bound = NonZeroUsize::new(bound).unwrap_or(NonZeroUsize::MIN);
    Box::new(subscription.conflated(bound, overflow))
}

fn config(told: &Told) -> Config {
    let retry = match told.plan.pace {
        Pace::Fixed(delay) => Retry::fixed(delay),
        // Otherwise the delays would be others every time.
        Pace::Exponential(first, cap) => {
            Retry::exponential(first, cap).seed(u64::from(told.subscription.0))
        }
    };
    let config = Config::new(retry);
    match told.plan.silence_limit {
        Some(limit) => config.silence_limit(limit),
        None => config,
    }
}
