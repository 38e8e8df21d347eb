//! Where the values of a stream go: a queue, a callback, or a fold.

use rpc_wire::Data;

use crate::connection::run::OpenRun;
use crate::error::DispatchError;
use crate::implementation::BoxFuture;

/// Where the values of a stream go. Runs the user's decoders and callbacks, except where the
/// stream's lock is held.
pub(crate) trait Sink: Send + Sync + 'static {
    /// What the dispatch results in, beside the stream.
    type Initial: Send;
    /// An update that was decoded, or what the callback said to it.
    type Update: Send;
    /// What is under the stream's lock.
    type Kept: Default + Send;
    /// What only the connection's task uses: the callback, or where a run is collected.
    type Own: Send;

    /// Whether anything is. If not, an update is dealt with when it has been taken.
    const KEEPS: bool;

    /// Takes the encoded initial value.
    fn initial(&self, value: &[u8]) -> Result<Self::Initial, DispatchError>;

    /// Hands out what only the connection's task uses. Whoever has it keeps it for as long as there
    /// are updates, and needs no lock for them.
    fn lend(&self) -> Self::Own;

    /// Takes it back. Before that, neither [`initial`](Self::initial) nor [`closed`](Self::closed) is
    /// called.
    fn give_back(&self, own: Self::Own);

    /// Takes an encoded update.
    fn update(
        &self,
        own: &mut Self::Own,
        update: Data<'_>,
    ) -> Result<Self::Update, Box<DispatchError>>;

    /// The same update, now that the lock is held and it is known to be wanted.
    fn keep(&self, kept: &mut Self::Kept, update: Self::Update) -> Next;

    /// Whether updates that follow one another may be kept apart, without the lock, and moved
    /// under it together.
    fn takes_runs(&self) -> bool;

    /// Takes the updates of a run, as long as nothing else is to be done, and collects them. If
    /// one fails, those before it are there.
    fn take_run(
        &self,
        own: &mut Self::Own,
        run: &mut OpenRun<'_, '_>,
    ) -> Result<Next, DispatchError>;

    /// Moves what was collected.
    fn keep_run(kept: &mut Self::Kept, own: &mut Self::Own);

    /// Takes out what was collected and is not wanted.
    fn take_unwanted(own: &mut Self::Own) -> Self::Kept;

    /// The stream is over. Called once after [`initial`](Self::initial) succeeded, unless the user
    /// has ended it.
    fn closed(&self, result: Result<(), &DispatchError>);
}

/// What the connection is to do after an update.
pub(crate) enum Next {
    Continue,
    /// Handle nothing further until everything kept has been taken.
    Hold,
    /// Handle nothing further until this is ready.
    Wait(BoxFuture<()>),
}
