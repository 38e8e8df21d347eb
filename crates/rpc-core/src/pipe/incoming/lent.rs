//! The updates of an open stream, as the connection's task takes them.
//!
//! The sink lends it what only that task uses, for as long as updates come: for the usual one there is
//! then no lock to be taken, and nobody to be counted as one more user.

use std::sync::Arc;

use rpc_wire::{Data, stream};

use super::Incoming;
use crate::connection::run::Run;
use crate::connection::waiting::{After, Intake, Note, Taken};
use crate::pipe::item::Item;
use crate::pipe::sink::{Next, Sink};

pub(super) struct Lent<S: Sink, E: Send + 'static> {
    incoming: Arc<Incoming<S, E>>,
    /// Until it is given back.
    own: Option<S::Own>,
}

impl<S: Sink, E: Send + 'static> Lent<S, E> {
    pub(super) fn intake(incoming: Arc<Incoming<S, E>>) -> Box<dyn Intake> {
        let own = Some(incoming.definition.sink.lend());
        Box::new(Self { incoming, own })
    }

    /// Afterwards the stream can end, which the callback is told.
    fn give_back(&mut self) {
        if let Some(own) = self.own.take() {
            self.incoming.definition.sink.give_back(own);
        }
    }
}

impl<S: Sink, E: Send + 'static> Intake for Lent<S, E> {
    fn update(&mut self, payload: &[u8], note: Note<'_>) -> Taken {
        let Self { incoming, own } = self;
        if !incoming.is_open() {
            return Taken::Not;
        }
        let (Some(own), Some(update)) = (own, stream::split_update(payload)) else {
            return Taken::Not;
        };
        let sink = &incoming.definition.sink;
        let after = match sink.update(own, Data::new(update)) {
            // The callback has been called, and that was all.
            Ok(update) if !S::KEEPS => match sink.keep(&mut S::Kept::default(), update) {
                Next::Continue if !incoming.is_open() => return Taken::Alone,
                Next::Continue if sink.takes_runs() => return Taken::Together,
                next => incoming.after(next, &note),
            },
            Ok(update) => incoming.accept(Item::Update(update), &note),
            Err(error) => {
                note.keep_undecodable(&error, Data::new(payload));
                self.give_back();
                self.incoming.accept(Item::Failed(*error), &note)
            }
        };
        match after {
            After::Keep => Taken::Alone,
            After::Stream => Taken::Together,
            other => Taken::Then(Box::new(other)),
        }
    }

    fn updates(&mut self, run: &mut Run<'_>) -> After {
        let Self { incoming, own } = self;
        let Some(own) = own else {
            return After::Keep;
        };
        let mut open = run.while_open(&incoming.open);
        let next = incoming.definition.sink.take_run(own, &mut open);
        if run.has_begun() && S::KEEPS {
            let (sleepers, unwanted) = incoming.take_in(own);
            drop(unwanted);
            sleepers.wake();
        }
        match next {
            Ok(next) => incoming.after(next, &run.note()),
            Err(error) => {
                run.keep_undecodable(&error);
                self.give_back();
                self.incoming.accept(Item::Failed(error), &run.note())
            }
        }
    }
}

impl<S: Sink, E: Send + 'static> Drop for Lent<S, E> {
    fn drop(&mut self) {
        self.give_back();
    }
}
