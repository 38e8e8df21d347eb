//! Reading: what arrives is handled in place, message by message.

use std::pin::Pin;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll, ready};

use bin_prot::Info;
use rpc_wire::{Message, Query, Response};
use tokio::time::Instant;

use super::Driver;
use crate::connection::end::End;
use crate::connection::limit::Limit;
use crate::connection::messages::{self, GoesOn};
use crate::environment;

/// What became of one read.
pub(super) enum Read {
    /// This many bytes came, and what was whole has been handled.
    Bytes(usize),
    /// Nothing is read or handled as long as the gate is held.
    Held,
    /// The connection is over.
    End(End),
}

/// What became of the messages that were there.
pub(super) enum Batch {
    Handled,
    Nothing,
    /// Nothing was handled, since the gate is held.
    Held,
    End(End),
}

impl Driver {
    /// Reads once and handles every whole message that is there.
    pub(super) fn poll_read(&mut self, cx: &mut Context<'_>) -> Poll<Read> {
        // Bytes that came right behind the handshake are handled before the first read, and so is
        // what a hold has left.
        match self.handle_batch() {
            Batch::Nothing => {}
            // As after a read: handlers may have become tasks, whose end nobody waits for yet.
            Batch::Handled => return Poll::Ready(Read::Bytes(0)),
            // The gate is not asked twice: released in between, it would be passed with messages
            // left that nothing would have us look at.
            Batch::Held => return Poll::Ready(Read::Held),
            Batch::End(end) => return Poll::Ready(Read::End(end)),
        }
        let read = self.reader.poll_fill(Pin::new(&mut *self.io), cx);
        match ready!(read) {
            Ok(0) => Poll::Ready(Read::End(End::Eof)),
            Ok(bytes) => Poll::Ready(match self.handle_batch() {
                Batch::End(end) => Read::End(end),
                Batch::Handled | Batch::Nothing | Batch::Held => Read::Bytes(bytes),
            }),
            Err(error) => {
                let connection = &self.shared.description;
                tracing::debug!(connection, %error, "reading failed");
                Poll::Ready(Read::End(End::Eof))
            }
        }
    }

    pub(super) fn handle_batch(&mut self) -> Batch {
        let batch = self.handle_messages();
        let read = self.reader.bytes_read();
        self.shared.bytes_read.store(read, Ordering::Relaxed);
        batch
    }

    fn handle_messages(&mut self) -> Batch {
        let Self {
            shared,
            reader,
            call,
            callee,
            tasks,
            ending,
            admission,
            ..
        } = self;
        let callee = &**callee;
        let receivers = &mut ending.receivers;
        let mut any = false;
        let held = loop {
            if shared.gate.is_held() {
                break true;
            }
            let body = match reader.next_frame() {
                Ok(Some(body)) => body,
                Ok(None) => break false,
                Err(error) => {
                    shared.limits_met.add(Limit::MessageSize);
                    let raised_by = environment::MAX_MESSAGE_SIZE;
                    let text = format!("{error}; {raised_by} raises the limit");
                    return Batch::End(End::Fatal(Info::from(text)));
                }
            };
            any = true;
            let bytes = body.len();
            // Most of what a busy caller or callee reads; the rest is decoded as what it may be.
            let handled = if let Some((id, payload)) = Response::split_ok(body) {
                // Nearly all that precedes the payload, the id among it.
                let before_payload = bytes.saturating_sub(payload.len() + 1);
                match messages::payload(shared, tasks, receivers, id, payload, bytes) {
                    Ok(GoesOn::Together) if reader.goes_on_like(bytes, before_payload) => {
                        messages::updates(shared, tasks, &mut receivers.streams, id, reader)
                    }
                    other => other.map(drop),
                }
            } else if let Some(query) = Query::split(body) {
                match messages::query(call, callee, tasks, admission, query, bytes) {
                    // What names the RPC is the beginning.
                    Ok(Some(index)) if reader.goes_on_like(bytes, bytes.min(3)) => {
                        messages::queries(call, callee, tasks, index, reader, bytes)
                    }
                    other => other.map(drop),
                }
            } else {
                match Message::decode(body) {
                    Ok(Message::Response(response)) => {
                        let (id, result) = (response.header.id, || response.result);
                        messages::response(shared, tasks, receivers, id, result, bytes).map(drop)
                    }
                    Ok(message) => messages::other(shared, message).map_or(Ok(()), Err),
                    Err(error) => {
                        let text = format!("message cannot be decoded: {error}");
                        Err(End::Fatal(Info::from(text)))
                    }
                }
            };
            if let Err(end) = handled {
                return Batch::End(end);
            }
        };
        if any {
            self.heartbeat.seen();
            self.shared.liveness.seen(Instant::now());
            return Batch::Handled;
        }
        if held { Batch::Held } else { Batch::Nothing }
    }
}
