//! Who waits until the transport has taken what was sent.

use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use super::output::Output;

/// Those who wait, in the order in which they came. They are many where many streams are served.
#[derive(Debug, Default)]
pub(super) struct Waiters {
    waiters: Vec<Waiter>,
    next_ticket: u64,
}

#[derive(Debug)]
struct Waiter {
    /// Counts up.
    ticket: u64,
    mark: u64,
    waker: Waker,
}

impl Waiters {
    /// Takes in who waits for `mark`, or whom to wake from now on.
    pub(super) fn wait(&mut self, ticket: &mut Option<u64>, mark: u64, cx: &Context<'_>) {
        let known = ticket.and_then(|ticket| self.place(ticket));
        match known.and_then(|place| self.waiters.get_mut(place)) {
            Some(waiter) => waiter.waker.clone_from(cx.waker()),
            None => {
                self.waiters.push(Waiter {
                    ticket: self.next_ticket,
                    mark,
                    waker: cx.waker().clone(),
                });
                *ticket = Some(self.next_ticket);
                self.next_ticket += 1;
            }
        }
    }

    /// Forgets who does not wait any more. The waker is to be dropped without a lock.
    pub(super) fn leave(&mut self, ticket: u64) -> Option<Waker> {
        let place = self.place(ticket)?;
        Some(self.waiters.remove(place).waker)
    }

    /// Those whose mark has been reached, to be woken without a lock.
    pub(super) fn reached(&mut self, flushed: u64) -> Vec<Waker> {
        let reached = self.waiters.extract_if(.., |waiter| waiter.mark <= flushed);
        reached.map(|waiter| waiter.waker).collect()
    }

    fn place(&self, ticket: u64) -> Option<usize> {
        let waiters = &self.waiters;
        waiters.binary_search_by_key(&ticket, |it| it.ticket).ok()
    }
}

/// Ready when everything up to a mark was taken by the transport, or nothing more will be.
#[derive(Debug)]
pub(crate) struct FlushedTo<'a> {
    output: &'a Output,
    mark: u64,
    ticket: Option<u64>,
}

impl<'a> FlushedTo<'a> {
    pub(super) fn new(output: &'a Output, mark: u64) -> Self {
        Self {
            output,
            mark,
            ticket: None,
        }
    }
}

impl Future for FlushedTo<'_> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let (output, mark) = (self.output, self.mark);
        let polled = output.poll_flushed(mark, &mut self.ticket, cx);
        if polled.is_ready() {
            // Who is woken has been forgotten before.
            self.ticket = None;
        }
        polled
    }
}

impl Drop for FlushedTo<'_> {
    fn drop(&mut self) {
        if let Some(ticket) = self.ticket {
            self.output.stop_waiting(ticket);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::task::Wake;

    use super::*;

    struct Nobody;

    impl Wake for Nobody {
        fn wake(self: Arc<Self>) {}
    }

    /// Whoever comes and goes, those are woken who still wait and whose mark has been reached.
    #[test]
    fn those_are_woken_who_still_wait() {
        let wakers: Vec<_> = (0..9).map(|_| Waker::from(Arc::new(Nobody))).collect();
        let mut waiters = Waiters::default();
        let mut tickets = vec![None; wakers.len()];
        // Not in the order of their marks, and asked twice.
        for _ in 0..2 {
            for (n, (waker, ticket)) in wakers.iter().zip(&mut tickets).enumerate() {
                waiters.wait(ticket, n as u64 % 3, &Context::from_waker(waker));
            }
        }
        let woken = |waiters: &mut Waiters, flushed| -> Vec<usize> {
            let reached = waiters.reached(flushed).into_iter();
            let number = |waker: Waker| wakers.iter().position(|it| it.will_wake(&waker));
            reached.map(|waker| number(waker).unwrap()).collect()
        };
        assert!(waiters.leave(tickets[3].unwrap()).is_some());
        assert_eq!(woken(&mut waiters, 0), [0, 6]);
        assert!(waiters.leave(tickets[0].unwrap()).is_none());
        assert!(waiters.leave(tickets[8].unwrap()).is_some());
        // One task takes over from another.
        waiters.wait(&mut tickets[1], 1, &Context::from_waker(&wakers[0]));
        assert_eq!(woken(&mut waiters, 7), [0, 2, 4, 5, 7]);
        assert!(woken(&mut waiters, 7).is_empty());
    }
}
