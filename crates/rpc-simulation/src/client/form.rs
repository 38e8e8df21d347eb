//! Subscriptions of every form, as one type: what differs between them is how they are made, and
//! the types of what they give.

use std::pin::Pin;

use durable_rpc::{Event, Subscribed, Subscription, state, subscribe};
use rpc_core::{Connection, DispatchError, PipeMetadata};
use rpc_versioned::ConnectionWithMenu;

use super::DurableValue;
use crate::fact::{Seen, Subscribed as Told};
use crate::names::StreamName;
use crate::plan::Form;
use crate::wire_types::{BOOK_1, BOOK_2, Question, Snapshot, TICKS, Update};

/// A durable subscription of whatever form.
pub(super) trait Events: Send {
    /// As the subscription's.
    fn next(&mut self) -> BoxFuture<'_, Option<Seen>>;

    /// As the subscription's.
    fn close(&mut self);
}

pub(super) type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// A subscription that gives a state, or none.
struct Of<S>(Subscription<S, Update, String, PipeMetadata>);

/// The state of a stream, if its form has one.
trait State: Send + 'static {
    fn snapshot(self) -> Option<Snapshot>;
}

impl State for Snapshot {
    fn snapshot(self) -> Option<Snapshot> {
        Some(self)
    }
}

impl State for () {
    fn snapshot(self) -> Option<Snapshot> {
        None
    }
}

impl<S: State> Events for Of<S> {
    fn next(&mut self) -> BoxFuture<'_, Option<Seen>> {
        Box::pin(async {
            loop {
                // The pipe form is the state form without its states (rule D-SU-1).
                if let Some(seen) = seen(self.0.next().await)? {
                    return Some(seen);
                }
            }
        })
    }

    fn close(&mut self) {
        self.0.close();
    }
}

/// The outer option is the stream's.
fn seen<S: State>(event: Option<Event<S, Update, String, PipeMetadata>>) -> Option<Option<Seen>> {
    Some(Some(match event? {
        Event::AttemptingNewConnection => Seen::Attempting,
        Event::ConnectionSuccess(metadata) => Seen::Success(metadata.id().get()),
        Event::State(state) => {
            return Some(state.snapshot().map(|snapshot| Seen::State {
                stream: StreamName(snapshot.stream),
                number: snapshot.number,
            }));
        }
        Event::Update(update) => Seen::Update {
            stream: StreamName(update.stream),
            index: update.index,
            number: update.number,
            intact: update.is_intact(),
        },
        Event::LostConnection => Seen::Lost,
        Event::FailedToConnect(error) => Seen::Failed(error.to_string()),
        Event::RpcError(error) => Seen::RpcError(error),
    }))
}

/// Subscribes.
///
/// # Errors
/// The first attempt failed, of a form that depends on it.
pub(super) async fn subscribed(
    told: &Told,
    durable: &DurableValue,
) -> Result<Box<dyn Events>, String> {
    let question = Question::new(told.subscription.0);
    let delay = told.delay;
    Ok(match durable {
        DurableValue::WithMenu(durable) => {
            let dispatch = move |connection| versioned(connection, question);
            Box::new(Of(subscribe(durable, delay, dispatch)))
        }
        DurableValue::Plain(durable) => match told.form {
            Form::State | Form::Versioned => {
                Box::new(Of(state::create(&BOOK_1, durable, question, delay)))
            }
            Form::StateOrFail => {
                let subscribing = state::create_or_fail(&BOOK_1, durable, question, delay);
                let subscription = subscribing.await.map_err(|error| error.to_string())?;
                Box::new(Of(subscription.map_err(|error| format!("error {error}"))?))
            }
            Form::Pipe => {
                let dispatch = move |connection| ticks(connection, question);
                Box::new(Of(subscribe(durable, delay, dispatch)))
            }
        },
    })
}

type Dispatched<S> =
    Result<Result<Subscribed<S, rpc_core::Pipe<Update>, PipeMetadata>, String>, DispatchError>;

async fn ticks(connection: Connection, question: Question) -> Dispatched<()> {
    let updates = TICKS.dispatch(&connection, &question).await?;
    Ok(updates.map(|updates| Subscribed {
        state: (),
        metadata: updates.metadata(),
        updates,
    }))
}

/// The highest version of the state RPC that both sides know.
async fn versioned(connection: ConnectionWithMenu, question: Question) -> Dispatched<Snapshot> {
    let answer = match connection.highest_common(BOOK_1.name(), &[1, 2]) {
        Ok(2) => {
            let dispatched = BOOK_2.dispatch(connection.connection(), &question);
            let first =
                |(state, updates): (crate::wire_types::Snapshot2, _)| (state.snapshot, updates);
            dispatched.await?.map(first)
        }
        // Without a common version the callee is left to say so.
        Ok(_) | Err(_) => BOOK_1.dispatch(connection.connection(), &question).await?,
    };
    Ok(answer.map(|(state, updates)| Subscribed {
        state,
        metadata: updates.metadata(),
        updates,
    }))
}
