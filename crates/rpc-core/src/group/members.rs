//! The members of a group, by their connections: what goes to one connection is appended under one
//! lock.

use std::collections::{HashMap, HashSet};
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;

use super::AddError;
use crate::connection::Shared;
use crate::direct_stream_writer::{Appended, Flushed, Handle};

/// Bytes to append to one connection's output before its lock is given to others.
const APPEND_AT_ONCE: usize = 64 * 1024;

/// What precedes an update's payload in its frame, at most.
const HEADER: usize = 40;

/// Members among which it is not worth looking for closed ones.
const FEW: usize = 16;

#[derive(Default)]
pub(super) struct Members {
    /// By address: a connection stays where it is while it is here.
    connections: HashMap<usize, Connected>,
    /// The addresses of the streams.
    present: HashSet<usize>,
    /// Number of members at which closed ones are looked for.
    next_sweep: usize,
}

/// The members of one connection.
struct Connected {
    shared: Arc<Shared>,
    handles: Vec<Arc<Handle>>,
}

/// Which stream a handle is for. The address is taken for as long as the handle exists.
fn stream(handle: &Handle) -> usize {
    Arc::as_ptr(&handle.direct).addr()
}

fn connection(handle: &Handle) -> &Arc<Shared> {
    handle.direct.sender().call.shared()
}

impl Members {
    /// Whether there is no member, not even a closed one.
    pub(super) fn are_none(&self) -> bool {
        self.present.is_empty()
    }

    /// Whether a member is not closed.
    pub(super) fn any_open(&self) -> bool {
        let connections = self.connections.values();
        let mut handles = connections.flat_map(|connected| &connected.handles);
        handles.any(|handle| !handle.direct.is_closed())
    }

    pub(super) fn add(&mut self, handle: &Arc<Handle>) -> Result<(), AddError> {
        if handle.direct.is_closed() {
            return Err(AddError::Closed);
        }
        if !self.present.insert(stream(handle)) {
            return Err(AddError::AlreadyMember);
        }
        let shared = connection(handle);
        let connected = self.connections.entry(Arc::as_ptr(shared).addr());
        let connected = connected.or_insert_with(|| Connected {
            shared: shared.clone(),
            handles: Vec::new(),
        });
        connected.handles.push(handle.clone());
        if self.present.len() >= self.next_sweep.max(FEW) {
            self.sweep();
            // Each member is looked at twice before it is the turn of all again.
            self.next_sweep = 2 * self.present.len();
        }
        Ok(())
    }

    pub(super) fn remove(&mut self, handle: &Arc<Handle>) {
        if !self.present.remove(&stream(handle)) {
            return;
        }
        let address = Arc::as_ptr(connection(handle)).addr();
        if let Some(connected) = self.connections.get_mut(&address) {
            connected
                .handles
                .retain(|member| stream(member) != stream(handle));
            if connected.handles.is_empty() {
                self.connections.remove(&address);
            }
        }
    }

    /// Takes out members that are closed.
    fn sweep(&mut self) {
        let present = &mut self.present;
        self.connections.retain(|_, connected| {
            connected.handles.retain(|handle| {
                let closed = handle.direct.is_closed();
                if closed {
                    present.remove(&stream(handle));
                }
                !closed
            });
            !connected.handles.is_empty()
        });
    }

    /// The members that are not closed.
    pub(super) fn open(&mut self) -> Vec<Arc<Handle>> {
        self.sweep();
        let connections = self.connections.values();
        let handles = connections.flat_map(|connected| &connected.handles);
        handles.cloned().collect()
    }

    pub(super) fn len(&mut self) -> usize {
        self.sweep();
        self.present.len()
    }

    /// Appends the stream payload of an update to every member's output.
    pub(super) fn write(&mut self, payload: &[u8]) {
        let mut closed = false;
        for connected in self.connections.values() {
            closed |= connected.write(payload);
        }
        if closed {
            self.sweep();
        }
    }

    /// What waits until everything that was sent so far is taken by the members' transports.
    pub(super) fn flushed(&self) -> Flushed {
        let connections = self.connections.values();
        let waiting: Vec<_> = connections.map(Connected::flushed_or_closed).collect();
        Flushed::new(async move {
            for connection in waiting {
                connection.await;
            }
        })
    }
}

impl Connected {
    /// Waits until the transport has taken what was sent so far, or every member is closed. Members
    /// are looked at as long as the transport has not, and no more than one at a time.
    fn flushed_or_closed(&self) -> impl Future<Output = ()> + Send + use<> {
        let shared = self.shared.clone();
        let mark = shared.output.mark();
        let streams: Vec<_> = self.handles.iter().map(|it| it.direct.clone()).collect();
        async move {
            let all_closed = async {
                for stream in streams {
                    stream.closed().await;
                }
            };
            let mut flushed = pin!(shared.output.flushed_to(mark));
            let mut closed = pin!(all_closed);
            std::future::poll_fn(|cx| match flushed.as_mut().poll(cx) {
                Poll::Ready(()) => Poll::Ready(()),
                Poll::Pending => closed.as_mut().poll(cx),
            })
            .await;
        }
    }

    /// Whether a member was found closed.
    fn write(&self, payload: &[u8]) -> bool {
        let at_once = (APPEND_AT_ONCE / (payload.len() + HEADER)).max(1);
        let mut closed = false;
        for handles in self.handles.chunks(at_once) {
            let turn = self.shared.events.turn();
            // Empty, and without an allocation, unless somebody listens or something is wrong.
            let mut left = Vec::new();
            self.shared.output.appending(|output| {
                for handle in handles {
                    match handle.direct.append(output, payload) {
                        Appended::Kept => {}
                        Appended::Sent if turn.is_none() => {}
                        appended => left.push((handle, appended)),
                    }
                }
            });
            for (handle, appended) in left {
                let size = payload.len();
                handle.direct.after_append(appended, size, turn.as_ref());
                closed |= handle.direct.is_closed();
            }
        }
        closed
    }
}
