//! The calls of one connection that are not over, by side and id, with what an observer keeps of
//! each.

use std::collections::BTreeMap;
use std::time::Duration;

use rpc_wire::QueryId;
use tokio::time::Instant;

use crate::call::{Outcome, Side, Step};

/// The most calls that are kept of each side. A peer can open calls about which nothing is ever
/// said; beyond this, the oldest one is given up.
const MOST: usize = 16 * 1024;

/// The open calls of both sides.
#[derive(Debug)]
pub(crate) struct OpenCalls<T> {
    callers: BTreeMap<QueryId, OpenCall<T>>,
    callees: BTreeMap<QueryId, OpenCall<T>>,
    /// The connection is over, and nothing is kept any more.
    is_over: bool,
}

/// One of them.
#[derive(Debug)]
struct OpenCall<T> {
    kept: T,
    since: Instant,
    /// Whether there was a part of the answer.
    is_answered: bool,
    /// Whether an abort was sent whose [`Step::NoResponse`] is to come.
    is_aborting: bool,
}

/// What a step has made of a call.
#[derive(Debug, PartialEq)]
pub(crate) enum Change<T> {
    /// The first part of a stream came or went, after this time.
    Answered(Duration),
    /// A further part.
    Continued,
    /// The caller wants no more.
    Aborted,
    Ended(Ended<T>),
}

/// A call that is over.
#[derive(Debug, PartialEq)]
pub(crate) struct Ended<T> {
    pub(crate) kept: T,
    pub(crate) outcome: Outcome,
    /// The time since the query.
    pub(crate) after: Duration,
    /// Whether it was a stream that had begun.
    pub(crate) was_stream: bool,
}

impl<T> OpenCalls<T> {
    pub(crate) fn new() -> Self {
        Self {
            callers: BTreeMap::new(),
            callees: BTreeMap::new(),
            is_over: false,
        }
    }

    /// A call begins now. Results in the call that had to make place: one of the same id, or the
    /// oldest of too many.
    pub(crate) fn begin(&mut self, side: Side, id: QueryId, kept: T) -> Option<Ended<T>> {
        if self.is_over {
            return Some(Ended {
                kept,
                outcome: Outcome::Unanswered,
                after: Duration::ZERO,
                was_stream: false,
            });
        }
        let call = OpenCall {
            kept,
            since: Instant::now(),
            is_answered: false,
            is_aborting: false,
        };
        let calls = self.of(side);
        let before = calls.insert(id, call);
        let before = before.or_else(|| {
            let full = calls.len() > MOST;
            full.then(|| calls.pop_first())
                .flatten()
                .map(|(_, call)| call)
        });
        before.map(|call| call.end(Outcome::Unanswered))
    }

    /// What is kept of a call.
    pub(crate) fn get(&mut self, side: Side, id: QueryId) -> Option<&mut T> {
        self.of(side).get_mut(&id).map(|call| &mut call.kept)
    }

    /// Takes a call one step further. Nothing, if it is not known: it began before anybody
    /// listened, or is over.
    pub(crate) fn advance(&mut self, side: Side, id: QueryId, step: Step) -> Option<Change<T>> {
        let calls = self.of(side);
        let call = calls.get_mut(&id)?;
        let outcome = match step {
            Step::Begin => return None,
            Step::Abort => {
                // The caller's own is followed by *no response*, which does not end its stream.
                call.is_aborting = true;
                return Some(Change::Aborted);
            }
            Step::Part if call.is_answered => return Some(Change::Continued),
            Step::Part => {
                call.is_answered = true;
                return Some(Change::Answered(call.since.elapsed()));
            }
            Step::NoResponse if call.is_aborting => {
                call.is_aborting = false;
                return None;
            }
            Step::NoResponse => Outcome::OneWay,
            Step::End(outcome) => outcome,
        };
        let call = calls.remove(&id)?;
        Some(Change::Ended(call.end(outcome)))
    }

    /// The connection is over: so are all calls, those that may still begin included.
    pub(crate) fn end(&mut self) -> impl Iterator<Item = (Side, Ended<T>)> + use<T> {
        self.is_over = true;
        let callers = std::mem::take(&mut self.callers).into_values();
        let callees = std::mem::take(&mut self.callees).into_values();
        let callers = callers.map(|call| (Side::Caller, call.end(Outcome::Unanswered)));
        callers.chain(callees.map(|call| (Side::Callee, call.end(Outcome::Unanswered))))
    }

    fn of(&mut self, side: Side) -> &mut BTreeMap<QueryId, OpenCall<T>> {
        match side {
            Side::Caller => &mut self.callers,
            Side::Callee => &mut self.callees,
        }
    }
}

impl<T> OpenCall<T> {
    fn end(self, outcome: Outcome) -> Ended<T> {
        Ended {
            kept: self.kept,
            outcome,
            after: self.since.elapsed(),
            was_stream: self.is_answered,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(number: i64) -> QueryId {
        QueryId::new(number)
    }

    fn ended(change: Option<Change<char>>) -> (char, Outcome, bool) {
        match change {
            Some(Change::Ended(ended)) => (ended.kept, ended.outcome, ended.was_stream),
            other => panic!("{other:?}"),
        }
    }

    #[tokio::test(start_paused = true)]
    async fn call_takes_the_time_between_query_and_answer() {
        let mut calls = OpenCalls::new();
        assert_eq!(calls.begin(Side::Caller, id(1), 'a'), None);
        tokio::time::advance(Duration::from_millis(30)).await;
        let change = calls.advance(Side::Caller, id(1), Step::End(Outcome::Ok));
        let Some(Change::Ended(ended)) = change else {
            panic!("{change:?}");
        };
        assert_eq!(ended.after, Duration::from_millis(30));
        let again = calls.advance(Side::Caller, id(1), Step::End(Outcome::Ok));
        assert_eq!(again, None);
    }

    #[tokio::test(start_paused = true)]
    async fn abort_does_not_end_a_stream_and_its_end_does() {
        let mut calls = OpenCalls::new();
        calls.begin(Side::Caller, id(1), 'a');
        let mut step = |step| calls.advance(Side::Caller, id(1), step);
        assert_eq!(step(Step::Part), Some(Change::Answered(Duration::ZERO)));
        assert_eq!(step(Step::Part), Some(Change::Continued));
        assert_eq!(step(Step::Abort), Some(Change::Aborted));
        assert_eq!(step(Step::NoResponse), None);
        let end = step(Step::End(Outcome::Ok));
        assert_eq!(ended(end), ('a', Outcome::Ok, true));
    }

    #[tokio::test(start_paused = true)]
    async fn no_response_ends_a_one_way_call() {
        let mut calls = OpenCalls::new();
        calls.begin(Side::Caller, id(1), 'a');
        let end = calls.advance(Side::Caller, id(1), Step::NoResponse);
        assert_eq!(ended(end), ('a', Outcome::OneWay, false));
    }

    #[tokio::test(start_paused = true)]
    async fn sides_have_ids_of_their_own() {
        let mut calls = OpenCalls::new();
        calls.begin(Side::Caller, id(1), 'a');
        calls.begin(Side::Callee, id(1), 'b');
        let end = calls.advance(Side::Callee, id(1), Step::End(Outcome::Raised));
        assert_eq!(ended(end), ('b', Outcome::Raised, false));
        assert_eq!(calls.get(Side::Caller, id(1)), Some(&mut 'a'));
    }

    /// A peer that uses an id twice, or opens calls about which nothing is ever said.
    #[tokio::test(start_paused = true)]
    async fn what_is_kept_is_bounded() {
        let mut calls = OpenCalls::new();
        for number in 0..MOST {
            let number = i64::try_from(number).unwrap();
            assert!(calls.begin(Side::Callee, id(number), number).is_none());
        }
        let again = calls.begin(Side::Callee, id(5), -5).unwrap();
        assert_eq!((again.kept, again.outcome), (5, Outcome::Unanswered));
        let oldest = calls.begin(Side::Callee, id(1 << 40), -1).unwrap();
        assert_eq!((oldest.kept, oldest.outcome), (0, Outcome::Unanswered));
    }

    #[tokio::test(start_paused = true)]
    async fn nothing_is_kept_after_the_end() {
        let mut calls = OpenCalls::new();
        calls.begin(Side::Caller, id(1), 'a');
        calls.begin(Side::Callee, id(2), 'b');
        let all: Vec<_> = calls.end().map(|(side, call)| (side, call.kept)).collect();
        assert_eq!(all, [(Side::Caller, 'a'), (Side::Callee, 'b')]);
        assert_eq!(calls.begin(Side::Caller, id(3), 'c').unwrap().kept, 'c');
        assert_eq!(calls.end().count(), 0);
    }
}
