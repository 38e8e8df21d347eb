//! Subscriptions to RPCs of several versions.

use durable_rpc::{
    AttemptError, Config, Durable, Event, Subscribed, pipe as pipe_form, state as state_form,
};
use rpc_core::{Connection, Pipe, PipeMetadata};
use rpc_versioned::convert::Unconvertible;
use rpc_versioned::{ConnectionWithMenu, ConversionError, caller_converts};

use super::{BoxFuture, Events, Seen, seen, seen_in_pipe};
use crate::wire_types::{BOOK_1, BOOK_2, Question, Snapshot, Snapshot2, TICKS, Update};

type Dispatched =
    Result<Result<Subscribed<Snapshot, Pipe<Update>, PipeMetadata>, String>, AttemptError>;

/// The highest version of the state RPC that both sides know, by a dispatch function.
pub(super) async fn dispatch(connection: ConnectionWithMenu, question: Question) -> Dispatched {
    let common = connection.highest_common(BOOK_1.name(), &[1, 2]);
    let connection: &Connection = connection.connection();
    let answer = match common.map_err(AttemptError::failed)? {
        2 => {
            let answer = BOOK_2.dispatch(connection, &question).await?;
            answer.map(|(state, updates)| (state.snapshot, updates))
        }
        _ => BOOK_1.dispatch(connection, &question).await?,
    };
    Ok(answer.map(|(state, updates)| Subscribed {
        state,
        metadata: updates.metadata(),
        updates,
    }))
}

/// Both versions of the state RPC.
pub(super) fn state(
    durable: &Durable<ConnectionWithMenu>,
    question: Question,
    config: Config,
) -> Result<Box<dyn Events>, String> {
    let rpc = caller_converts::StateRpc::builder(BOOK_1.name())
        .version(&BOOK_1, same, same, convert, same)
        .version(
            &BOOK_2,
            same,
            |state: Snapshot2| Ok(state.snapshot),
            convert,
            same,
        )
        .build();
    let rpc = rpc.map_err(|error| error.to_string())?;
    let subscription = state_form::create_versioned(&rpc, durable, question, config);
    Ok(Box::new(subscription))
}

/// The one version of the pipe RPC.
pub(super) fn pipe(
    durable: &Durable<ConnectionWithMenu>,
    question: Question,
    config: Config,
) -> Result<Box<dyn Events>, String> {
    let rpc = caller_converts::PipeRpc::builder(TICKS.name())
        .version(&TICKS, same, convert, same)
        .build();
    let rpc = rpc.map_err(|error| error.to_string())?;
    let subscription = pipe_form::create_versioned(&rpc, durable, question, config);
    Ok(Box::new(subscription))
}

fn same<T>(value: T) -> Result<T, Unconvertible> {
    Ok(value)
}

/// Of some updates it fails, which must cost no other one (rule V-CA-4). The error says which one it
/// was.
fn convert(update: Update) -> Result<Update, Unconvertible> {
    if update.index % 13 != 12 || !update.is_intact() {
        return Ok(update);
    }
    let text = format!("{} {} {}", update.stream, update.index, update.number);
    Err(Unconvertible::new(text))
}

/// The update that was converted, or that which the error says.
fn converted(update: Result<Update, ConversionError>) -> Update {
    update.unwrap_or_else(|error| {
        let text = error.cause().to_string();
        let numbers: Vec<i64> = text.split(' ').filter_map(|n| n.parse().ok()).collect();
        match numbers[..] {
            [stream, index, number] => Update::new(stream, index, number),
            // It is not intact.
            _ => Update {
                first: i64::MAX,
                ..Update::new(0, 0, 0)
            },
        }
    })
}

impl Events for state_form::Versioned<Snapshot, Update, String> {
    fn next(&mut self) -> BoxFuture<'_, Option<Seen>> {
        Box::pin(async {
            let event = Self::next(self).await?;
            Some(seen(Event::map_update(event, converted)))
        })
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

impl Events for pipe_form::Versioned<Update, String> {
    fn next(&mut self) -> BoxFuture<'_, Option<Seen>> {
        Box::pin(async {
            let event = Self::next(self).await?;
            Some(seen_in_pipe(event.map_update(converted)))
        })
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
