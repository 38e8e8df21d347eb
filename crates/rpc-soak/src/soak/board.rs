//! Numbers that are written to everybody who subscribed, on whichever connection, by groups.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::Result;
use rpc_core::{DirectStreamWriter, Flushed, Group, Implementation, StateRpc};
use tokio::time::{sleep, timeout};

use super::rpcs::State;
use crate::chance::Chance;

/// A number, and bytes that follow from it.
pub(super) type Update = (i64, Vec<u8>);

/// Results in the number that is written next. Whether the latest one is wanted, too.
pub(super) static FEED: StateRpc<bool, i64, Update, String> = StateRpc::new("feed", 1);

/// The streams of all members end behind so many numbers.
pub(super) const GENERATION: i64 = 200;

/// What is written.
#[derive(Debug)]
pub(super) struct Board {
    /// Held while writing, and while somebody is added: nothing is written in between.
    next: Mutex<i64>,
    plain: Group<Update>,
    /// Whose members get the latest number first.
    with_latest: Group<Update>,
}

pub(super) fn update(number: i64) -> Update {
    let length = match number % 9 {
        0 => number * 37 % 3000,
        _ => number % 40,
    };
    let length = usize::try_from(length).unwrap_or(0);
    (number, vec![number.to_le_bytes()[0]; length])
}

/// The callee's side.
pub(super) fn implementation() -> Implementation<State> {
    Implementation::state_direct(&FEED, |state: &State, with_latest, writer| {
        let added = state.board.add(with_latest, writer);
        async move { Ok(added) }
    })
}

impl Board {
    pub(super) fn new() -> Self {
        Self {
            next: Mutex::new(0),
            plain: Group::new(),
            with_latest: Group::new().send_last_value_on_add(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, i64> {
        self.next.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn add(&self, with_latest: bool, writer: DirectStreamWriter<Update>) -> Result<i64, String> {
        let next = self.lock();
        let group = match with_latest {
            true => &self.with_latest,
            false => &self.plain,
        };
        let added = group.add(writer);
        added.map(|()| *next).map_err(|error| error.to_string())
    }

    /// Writes for ever.
    pub(super) async fn go_on(self: Arc<Self>, mut chance: Chance) -> Result<()> {
        loop {
            let flushed = self.write_next(&mut chance)?;
            // Somebody may have stopped reading.
            let all = async {
                for flushed in flushed {
                    flushed.await;
                }
            };
            let _stalled = timeout(Duration::from_millis(5), all).await;
            sleep(Duration::from_micros(chance.below(2000))).await;
        }
    }

    fn write_next(&self, chance: &mut Chance) -> Result<Vec<Flushed>> {
        let mut next = self.lock();
        let update = update(*next);
        let mut waits = Vec::new();
        for group in [&self.plain, &self.with_latest] {
            match chance.below(4) {
                0 => waits.push(group.write_with_pushback(&update)?),
                1 => group.write_encoded(&bin_prot::to_vec(&update)?),
                2 => {
                    let encoded = bin_prot::to_vec(&update)?;
                    waits.push(group.write_encoded_with_pushback(&encoded));
                }
                _ => group.write(&update)?,
            }
        }
        *next += 1;
        if *next % GENERATION == 0 {
            for group in [&self.plain, &self.with_latest] {
                group.members().iter().for_each(DirectStreamWriter::close);
            }
        }
        Ok(waits)
    }
}
