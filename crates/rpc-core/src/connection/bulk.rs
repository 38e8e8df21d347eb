//! One-way messages that are sent together: many under one lock.
//!
//! The messages come from the user's iterator, which cannot be asked while the output is locked. So
//! some of them are taken first, and then encoded where they are sent from. Each is sent, or
//! refused, as it would be alone, under an id that is larger than those of all queries before it.

use std::borrow::Borrow;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use rpc_wire::{QueryHeader, QueryId};

use super::output::Class;
use super::shared::{Asking, Shared};
use crate::error::{DispatchAllError, DispatchError, SendError};
use crate::payload::Codec;

/// Messages that are taken before they are sent, so that an iterator that takes its time over each
/// of them does not keep the first ones back for long.
const MESSAGES: usize = 64;

/// Bytes of payload after which no more are taken, so that neither are many large messages in memory
/// only to wait for each other, nor do others wait long for the lock.
const BYTES: usize = 16 * 1024;

/// Messages that have been taken, and the sizes of their payloads.
type Chunk<M> = Vec<(M, usize)>;

impl Shared {
    /// Sends queries that nobody waits for, until one cannot be sent.
    pub(crate) fn send_all_one_way<Q, C: Codec<Q>, M: Borrow<Q>>(
        &self,
        asking: Asking<'_>,
        mut messages: impl Iterator<Item = M>,
    ) -> Result<(), DispatchAllError> {
        let mut chunk = Vec::with_capacity(messages.size_hint().0.min(MESSAGES));
        let mut sent = 0;
        loop {
            let taking = AssertUnwindSafe(|| take::<Q, C, M>(&mut messages, &mut chunk));
            let taken = catch_unwind(taking);
            // Also if the iterator has panicked: what it yielded before is sent.
            let result = self.send_chunk::<Q, C, M>(asking, &chunk, &mut sent);
            let more = taken.unwrap_or_else(|panic| resume_unwind(panic));
            result.map_err(|error| DispatchAllError { sent, error })?;
            if !more {
                return Ok(());
            }
            chunk.clear();
        }
    }

    /// Sends some messages, and counts those that are sent.
    fn send_chunk<Q, C: Codec<Q>, M: Borrow<Q>>(
        &self,
        asking: Asking<'_>,
        chunk: &Chunk<M>,
        sent: &mut usize,
    ) -> Result<(), DispatchError> {
        if chunk.is_empty() {
            return Ok(());
        }
        if self.events.are_heard() || self.hooks.are_set() {
            // Who listens, and who adds metadata, is asked for each message, without a lock.
            return chunk.iter().try_for_each(|(message, payload)| {
                self.send_one_way(asking, *payload, |buffer| {
                    C::write(message.borrow(), buffer)
                })?;
                *sent += 1;
                Ok(())
            });
        }
        let Asking { rpc, metadata, .. } = asking;
        let (rank, first) = (self.rank(rpc), QueryId::new(0));
        let mut header = QueryHeader::new(self.version, *rpc, rank, first, metadata);
        let appended = self.output.appending(|output| {
            // A panic goes on when those before it have been reported to the connection's task.
            catch_unwind(AssertUnwindSafe(|| {
                chunk.iter().try_for_each(|(message, payload)| {
                    header.id = output.issue_id();
                    let size = header.message_size(*payload);
                    let write = |buffer: &mut Vec<u8>| {
                        header.write_before(*payload, buffer)?;
                        C::write(message.borrow(), buffer)
                    };
                    output.append_if(|| true, Class::Query, size, write)?;
                    *sent += 1;
                    Ok(())
                })
            }))
        });
        let appended: Result<(), Box<SendError>> =
            appended.unwrap_or_else(|panic| resume_unwind(panic));
        Ok(appended?)
    }
}

/// Takes messages for one chunk. Whether there may be more.
fn take<Q, C: Codec<Q>, M: Borrow<Q>>(
    messages: &mut impl Iterator<Item = M>,
    chunk: &mut Chunk<M>,
) -> bool {
    let mut bytes = 0_usize;
    while chunk.len() < MESSAGES && bytes < BYTES {
        let Some(message) = messages.next() else {
            return false;
        };
        let payload = C::size(message.borrow());
        bytes = bytes.saturating_add(payload);
        chunk.push((message, payload));
    }
    true
}
