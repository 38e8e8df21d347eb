//! What the loop waits for, and until when.

use std::task::Context;

use bin_prot::Info;
use rpc_wire::Message;
use tokio::time::Instant;

use super::Driver;
use crate::connection::after;
use crate::connection::end::End;
use crate::connection::heartbeat::Next;
use crate::connection::limit::Limit;
use crate::connection::output::Stage;
use crate::error::SendError;

/// What the loop is waiting for, apart from messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    Open,
    /// Until nothing is open, or this time.
    Waiting(Instant),
    /// Until the output is flushed, or this time.
    Flushing {
        deadline: Instant,
        /// Whether others have had their turn since, and the sources of streams have been asked
        /// once more: what they have got at the same moment counts.
        settled: bool,
    },
    /// Until the input ends, or this time.
    Draining(Instant),
}

impl Driver {
    pub(super) fn begin_closing(&mut self) {
        match self.shared.output.plan().wait {
            Some(wait) => self.phase = Phase::Waiting(after(wait)),
            None => self.begin_flushing(),
        }
    }

    pub(super) fn begin_flushing(&mut self) {
        if !matches!(self.phase, Phase::Flushing { .. }) {
            self.shared.output.advance(Stage::Flushing);
            self.phase = Phase::Flushing {
                deadline: self.flush_deadline(),
                settled: false,
            };
        }
    }

    /// Until when closing may go on flushing.
    pub(super) fn flush_deadline(&self) -> Instant {
        match self.phase {
            Phase::Flushing { deadline, .. } => deadline,
            Phase::Open | Phase::Waiting(_) | Phase::Draining(_) => {
                let plan = self.shared.output.plan();
                after(plan.flush_timeout.unwrap_or(self.flush_timeout))
            }
        }
    }

    /// Heartbeats, and the ends of phases.
    pub(super) fn poll_timers(&mut self, cx: &mut Context<'_>) -> Option<End> {
        loop {
            let next = self.next_moment()?;
            if self.timer.deadline() != next {
                self.timer.as_mut().reset(next);
            }
            if self.timer.as_mut().poll(cx).is_pending() {
                return None;
            }
            let end = self.on_time(Instant::now().max(next));
            if end.is_some() {
                return end;
            }
        }
    }

    /// When something has to be done if nothing happens before. Asks no clock.
    fn next_moment(&self) -> Option<Instant> {
        match self.phase {
            Phase::Open => earlier(self.heartbeat.next_check(), self.writer.gives_up_at()),
            Phase::Waiting(deadline) => {
                let next = earlier(self.heartbeat.next_check(), self.writer.gives_up_at());
                earlier(next, Some(deadline))
            }
            Phase::Flushing { deadline, .. } | Phase::Draining(deadline) => Some(deadline),
        }
    }

    pub(super) fn on_time(&mut self, now: Instant) -> Option<End> {
        match self.phase {
            Phase::Waiting(deadline) if deadline <= now => {
                self.begin_flushing();
                return None;
            }
            Phase::Flushing { deadline, .. } if deadline <= now => return Some(End::Requested),
            Phase::Draining(deadline) if deadline <= now => return Some(End::TransportStopped),
            Phase::Flushing { .. } | Phase::Draining(_) => return None,
            Phase::Open | Phase::Waiting(_) => {}
        }
        if self.writer.gives_up_at().is_some_and(|time| time <= now) {
            self.shared.limits_met.add(Limit::UnsentAge);
            return Some(End::WriterFailed(self.writer.complaint()));
        }
        let silence = self.shared.liveness.silence();
        loop {
            match self.heartbeat.poll(now, silence) {
                Next::Send => {
                    self.give_back_room();
                    match self
                        .send_control(&Message::Heartbeat)
                        .map_err(|error| *error)
                    {
                        // The peer would never hear a sign of life (rule C-HB-14).
                        Err(SendError::Frame(error)) => {
                            let text = format!("heartbeat cannot be sent: {error}");
                            return Some(End::Fatal(Info::from(text)));
                        }
                        Ok(()) | Err(SendError::Closed(_) | SendError::Overfull { .. }) => {}
                    }
                }
                Next::SleepUntil(_) | Next::Sleep => return None,
                Next::GiveUp(why) => {
                    self.shared.limits_met.add(Limit::Silence);
                    return Some(End::Dead(why));
                }
            }
        }
    }
}

/// Bytes read and written between two heartbeats by a connection that is idle: heartbeats, and
/// what somebody may ask now and then.
const IDLE_BYTES: u64 = 1024;

/// How much has been read and written when this was last looked at.
#[derive(Debug, Default)]
pub(super) struct Traffic(u64);

impl Traffic {
    /// Whether there has been next to none since.
    fn is_idle(&mut self, bytes: u64) -> bool {
        let before = std::mem::replace(&mut self.0, bytes);
        bytes - before < IDLE_BYTES
    }
}

impl Driver {
    /// A connection that was busy and is idle keeps no large buffers, if it sends heartbeats: there is
    /// no other moment at which it would find out.
    fn give_back_room(&mut self) {
        let output = &self.shared.output;
        if self
            .traffic
            .is_idle(self.reader.bytes_read() + output.bytes_written())
        {
            self.reader.give_back_room();
            self.writer.give_back_room();
            let waiting = &mut self.ending.receivers.waiting;
            waiting.fetch(output);
            waiting.give_back_room();
            output.give_back_room();
        }
    }
}

fn earlier(one: Option<Instant>, other: Option<Instant>) -> Option<Instant> {
    match (one, other) {
        (Some(one), Some(other)) => Some(one.min(other)),
        (one, other) => one.or(other),
    }
}
