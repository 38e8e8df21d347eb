//! From a query's id to whoever waits for the answer.
//!
//! Ids count up from 1 and are never used twice on a connection, so a late answer cannot reach
//! the wrong caller. The id leads to its place directly: the table is a window over the most
//! recent ids, without hashing. Calls that stay open while many others come and go move
//! from the window to a map, so that the window stays as small as what is open.
//!
//! The table is the connection's task's own, and no lock is needed to find who waits. Whoever calls
//! leaves the receiver with the query in the [output](super::output), under the lock that is taken
//! for that anyway, and the task fetches all that are there when it meets an id that it does not
//! know. Receivers of streams, which other threads look for too, are in [`OpenStreams`].
//!
//! | An answer to an id that … | does |
//! |---|---|
//! | is waited for | reaches the receiver |
//! | was issued, its caller gone | reaches the receiver, which swallows it (rule R-PL-23) |
//! | was answered already, was one-way, or was never issued | is the peer's mistake (rule C-DI-10) |

use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::sync::Arc;

use bin_prot::Info;
use rpc_wire::{Data, DescriptionRef, QueryId, RpcError};

use super::Shared;
use super::output::Output;
use super::run::Run;
use crate::error::{DispatchError, HandlerError};
use crate::implementation::BoxFuture;
use crate::tracing_event::{Event, Kind, ReceivedResponse};

/// What waits for the responses to one query.
pub(crate) trait Receiver: Send + Sync {
    /// Handles one response, and says what is to be done next. Runs the user's decoder and
    /// callback, and nothing else of the user's. Tells of the response after that, and before it
    /// wakes who waits (rule T-3).
    fn response(&self, arrived: Arrived<'_>) -> After;

    /// A shorter way for the updates of a stream that is open. Until it is dropped, none of the other
    /// functions is called but [`abort`](Self::abort).
    fn intake(self: Arc<Self>) -> Option<Box<dyn Intake>> {
        None
    }

    /// No response will come any more.
    fn fail(&self, error: DispatchError);

    /// What [`After::Wait`] waited for has panicked.
    fn wait_failed(&self, error: HandlerError);

    /// Asks the callee to end the stream, if it is one (rule R-SC-23).
    fn abort(&self);
}

/// What takes the updates of a stream that is open, for the connection's task alone. Nobody listens to
/// the events.
pub(crate) trait Intake: Send {
    /// Takes the payload of a response, if it is an update.
    fn update(&mut self, payload: &[u8], note: Note<'_>) -> Taken;

    /// Takes the updates that have been read right behind one after which it asked to
    /// [go on](After::Stream).
    fn updates(&mut self, run: &mut Run<'_>) -> After;
}

impl fmt::Debug for dyn Receiver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Receiver").finish_non_exhaustive()
    }
}

/// A response that was read.
#[derive(Debug)]
pub(crate) struct Arrived<'a> {
    pub(crate) result: Result<Data<'a>, RpcError>,
    pub(crate) note: Note<'a>,
}

/// What is needed to tell of a response whose result has been taken.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Note<'a> {
    id: QueryId,
    /// Size of the frame's body.
    body: usize,
    shared: &'a Shared,
}

impl<'a> Note<'a> {
    pub(super) fn new(id: QueryId, body: usize, shared: &'a Shared) -> Self {
        Self { id, body, shared }
    }
}

impl Note<'_> {
    pub(crate) fn id(&self) -> QueryId {
        self.id
    }

    /// Whether anybody wants to be told.
    #[inline]
    pub(crate) fn is_wanted(&self) -> bool {
        self.shared.events.are_heard()
    }

    /// Tells the listeners what the response amounted to.
    pub(crate) fn tell(&self, rpc: DescriptionRef<'_>, kind: ReceivedResponse) {
        self.shared.events.tell(rpc, self.id, self.body, || {
            Event::Received(Kind::Response(kind))
        });
    }

    /// Keeps the payload of a response that could not be decoded, if the program wants that.
    #[cold]
    pub(crate) fn keep_undecodable(&self, error: &DispatchError, data: Data<'_>) {
        if let DispatchError::Undecodable { location, reason } = error {
            self.shared.keep_undecodable(location, reason, data);
        }
    }
}

/// What is to be done after a response.
pub(crate) enum After {
    /// Nothing.
    Keep,
    /// Nothing; the intake takes the [updates](Intake::updates) that follow in one go.
    Stream,
    /// The stream is over.
    Remove,
    /// No further message is handled until this is ready (rule C-BP-1).
    Wait(BoxFuture<()>),
    /// The connection ends: the peer's message makes no sense (rule C-RD-12).
    Stop(Info),
}

/// What became of a payload that was tried as an [update](Intake::update).
pub(crate) enum Taken {
    /// Nothing: it is to be handled as a response.
    Not,
    /// It was taken, as [`After::Keep`].
    Alone,
    /// It was taken, as [`After::Stream`].
    Together,
    /// It was taken, and there is more to be done.
    Then(Box<After>),
}

/// How many responses a query has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Answers {
    /// One: its place is free when it came.
    One,
    /// A stream's.
    Many,
}

/// A call, and its query's id.
type Called = (QueryId, Arc<dyn Receiver>);

/// Calls on their way into the table.
///
/// Ids and receivers are apart since a pair of them is three words, which are written one by one, and
/// would be copied as two and one: a processor waits for such stores before it loads them.
#[derive(Debug, Default)]
pub(super) struct NewCalls {
    ids: Vec<QueryId>,
    receivers: Vec<Arc<dyn Receiver>>,
}

impl NewCalls {
    #[inline]
    pub(super) fn push(&mut self, id: QueryId, receiver: Arc<dyn Receiver>) {
        self.ids.push(id);
        self.receivers.push(receiver);
    }

    fn drain(&mut self) -> impl Iterator<Item = Called> {
        self.ids.drain(..).zip(self.receivers.drain(..))
    }

    pub(super) fn shrink_to_fit(&mut self) {
        self.ids.shrink_to_fit();
        self.receivers.shrink_to_fit();
    }
}

/// The receivers of streams that are open, or being opened or ended.
pub(crate) type OpenStreams = HashMap<QueryId, Arc<dyn Receiver>>;

/// Places of a window that is not worth being made smaller.
const SMALL: usize = 64;

/// The calls that wait for their one answer.
#[derive(Debug)]
pub(super) struct Waiting {
    /// The id of the window's first place.
    first: i64,
    window: VecDeque<Option<Arc<dyn Receiver>>>,
    /// Calls that the window has left behind.
    old: HashMap<i64, Arc<dyn Receiver>>,
    open: usize,
    /// Where calls are fetched to. Empty; kept for its memory.
    fetched: NewCalls,
}

impl Waiting {
    pub(super) fn new() -> Self {
        Self {
            first: 1,
            window: VecDeque::new(),
            old: HashMap::new(),
            open: 0,
            fetched: NewCalls::default(),
        }
    }

    /// Takes in the calls that have been made and are not in the table yet.
    #[inline(never)]
    pub(super) fn fetch(&mut self, output: &Output) {
        let mut fetched = std::mem::take(&mut self.fetched);
        output.take_calls(&mut fetched);
        for (id, receiver) in fetched.drain() {
            self.register(id, receiver);
        }
        self.fetched = fetched;
    }

    /// A place for `receiver`, under an id that has none.
    ///
    /// Ids come in their order, without those that nobody waits for. Of a connection with metadata
    /// hooks, which get the id before its query is sent, some may come late.
    #[inline]
    fn register(&mut self, id: QueryId, receiver: Arc<dyn Receiver>) {
        if id.get() == self.end_of_window() {
            self.window.push_back(Some(receiver));
        } else {
            self.register_apart(id.get(), receiver);
        }
        self.open += 1;
        self.trim();
    }

    #[cold]
    fn register_apart(&mut self, id: i64, receiver: Arc<dyn Receiver>) {
        if id < self.first {
            self.old.insert(id, receiver);
            return;
        }
        if id - self.end_of_window() > SMALL as i64 {
            self.leave_behind();
        }
        if self.window.is_empty() {
            self.first = id;
        }
        while self.end_of_window() <= id {
            self.window.push_back(None);
        }
        if let Some(place) = self.place(id) {
            *place = Some(receiver);
        }
    }

    /// The id behind the last that the window has a place for.
    fn end_of_window(&self) -> i64 {
        self.first + self.window.len() as i64
    }

    /// The receiver that a response with this id is for; its place is free then.
    #[inline]
    pub(super) fn take(&mut self, id: QueryId) -> Option<Arc<dyn Receiver>> {
        let receiver = if id.get() < self.first {
            self.old.remove(&id.get())
        } else {
            self.place(id.get())?.take()
        }?;
        self.open -= 1;
        self.trim();
        Some(receiver)
    }

    /// Empties the table, and returns everybody who waited.
    pub(super) fn drain(&mut self) -> impl Iterator<Item = Called> {
        let Self {
            first, window, old, ..
        } = std::mem::replace(self, Self::new());
        let window = (first..).zip(window);
        let window = window.filter_map(|(id, receiver)| Some((id, receiver?)));
        let all = old.into_iter().chain(window);
        all.map(|(id, receiver)| (QueryId::new(id), receiver))
    }

    fn place(&mut self, id: i64) -> Option<&mut Option<Arc<dyn Receiver>>> {
        let index = id.checked_sub(self.first)?;
        self.window.get_mut(usize::try_from(index).ok()?)
    }

    /// Moves the window's front past places that are free, and past those that stay taken while
    /// the window is sparse.
    #[inline]
    fn trim(&mut self) {
        while let Some(None) = self.window.front() {
            self.window.pop_front();
            self.first += 1;
        }
        if self.is_sparse() {
            self.spill();
        }
    }

    #[inline]
    fn is_sparse(&self) -> bool {
        let len = self.window.len();
        len > SMALL && (self.open - self.old.len()) * 4 < len
    }

    #[cold]
    fn spill(&mut self) {
        loop {
            match self.window.front() {
                Some(None) => {}
                Some(Some(_)) if self.is_sparse() => {}
                _ => return,
            }
            self.leave_one_behind();
        }
    }

    /// Moves the front of the window past one place.
    fn leave_one_behind(&mut self) {
        if let Some(Some(receiver)) = self.window.pop_front() {
            self.old.insert(self.first, receiver);
        }
        self.first += 1;
    }

    /// Moves the window past all of its places.
    fn leave_behind(&mut self) {
        while !self.window.is_empty() {
            self.leave_one_behind();
        }
    }

    /// Gives back the room that only a busy connection needs.
    pub(super) fn give_back_room(&mut self) {
        self.fetched = NewCalls::default();
        self.window.shrink_to_fit();
    }
}

#[cfg(test)]
pub(super) mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    pub(in super::super) struct Nobody;

    impl Receiver for Nobody {
        fn response(&self, _: Arrived<'_>) -> After {
            After::Keep
        }

        fn fail(&self, _: DispatchError) {}

        fn wait_failed(&self, _: HandlerError) {}

        fn abort(&self) {}
    }

    impl Waiting {
        /// Registers nobody under this id.
        fn register_nobody(&mut self, id: i64) {
            self.register(QueryId::new(id), Arc::new(Nobody));
        }
    }

    #[derive(Clone, Copy, Debug)]
    enum Step {
        /// So many ids are for queries that nobody waits for.
        Skip(i64),
        /// An id is issued, and registered when others have been.
        Delay,
        RegisterDelayed,
        Register,
        Take(i64),
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            1 => prop_oneof![1..4_i64, 60..70_i64, Just(100_000)].prop_map(Step::Skip),
            1 => Just(Step::Delay),
            1 => Just(Step::RegisterDelayed),
            5 => Just(Step::Register),
            5 => (0..200_i64).prop_map(Step::Take),
        ]
    }

    proptest! {
        /// Compared with a map over random operations.
        #[test]
        fn behaves_like_a_map(steps in proptest::collection::vec(step(), 0..600)) {
            let mut waiting = Waiting::new();
            let mut naive = BTreeSet::new();
            let (mut next, mut delayed) = (1, Vec::new());
            for step in steps {
                match step {
                    Step::Skip(count) => next += count,
                    Step::Delay => {
                        delayed.push(next);
                        next += 1;
                    }
                    Step::RegisterDelayed => if let Some(id) = delayed.pop() {
                        waiting.register_nobody(id);
                        naive.insert(id);
                    }
                    Step::Register => {
                        waiting.register_nobody(next);
                        naive.insert(next);
                        next += 1;
                    }
                    // One that is waited for, if there are so many, or about as many ids back.
                    Step::Take(back) => {
                        let id = naive.iter().nth(back as usize).copied().unwrap_or(next - back);
                        let found = waiting.take(QueryId::new(id)).is_some();
                        prop_assert_eq!(found, naive.remove(&id));
                    }
                }
                prop_assert_eq!(waiting.open, naive.len());
                prop_assert!(waiting.window.len() <= 64 + 4 * naive.len() + 4);
            }
            let left: BTreeSet<_> = waiting.drain().map(|(id, _)| id.get()).collect();
            prop_assert_eq!(left, naive);
        }
    }

    #[test]
    fn window_does_not_grow_behind_a_call_that_lasts() {
        let mut waiting = Waiting::new();
        waiting.register_nobody(1);
        for id in 2..100_000 {
            waiting.register_nobody(id);
            assert!(waiting.take(QueryId::new(id)).is_some());
        }
        assert!(waiting.window.len() <= 128);
        assert!(waiting.take(QueryId::new(1)).is_some());
        assert!(waiting.take(QueryId::new(2)).is_none());
    }
}
