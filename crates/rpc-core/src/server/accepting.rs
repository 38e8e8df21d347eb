//! A server's task, and those of its connections.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use rpc_wire::CloseReasonKind;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};

use super::tally::{OriginPlace, Place, Tally};
use super::{Asked, Builder, Listener, Phase};
use crate::connection::{Close, Config, Connection, HandshakeError, Limit};
use crate::error::{HandlerError, describe};
use crate::implementations::Implementations;

/// How long to wait after accepting failed for want of resources: file descriptors come back
/// only when connections end. Each failure in a row doubles it.
const FIRST_PAUSE: Duration = Duration::from_millis(10);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// What a client sees when there is no place for it.
const REFUSAL: &str = "connection limit reached";

/// When to try again.
struct Pause {
    next: Duration,
    until: Option<Instant>,
}

impl Pause {
    const NONE: Self = Self {
        next: FIRST_PAUSE,
        until: None,
    };

    /// Nothing is lost by dropping the future: the time stays what it is.
    async fn over(&self) {
        if let Some(until) = self.until {
            sleep_until(until).await;
        }
    }

    fn lengthen(&mut self) {
        self.until = Some(Instant::now() + self.next);
        self.next = (self.next * 2).min(LONGEST_PAUSE);
    }
}

/// What the tasks of a server have in common.
struct Common<S, P> {
    builder: Builder<S, P>,
    tally: Arc<Tally>,
    asked: watch::Receiver<Asked>,
}

/// Accepts until it is asked to stop, and serves until it is asked to stop that, too.
pub(super) async fn accept<S: Send + Sync + 'static, L: Listener>(
    mut listener: L,
    builder: Builder<S, L::Peer>,
    tally: Arc<Tally>,
    mut asked: watch::Receiver<Asked>,
    open: watch::Sender<bool>,
) {
    let most = builder.max_connections.map_or(usize::MAX, usize::from);
    let handshakes = builder.max_handshakes.get();
    let handshakes = Arc::new(Semaphore::new(handshakes.min(Semaphore::MAX_PERMITS)));
    let met = builder.config.limits_met().clone();
    let common = Arc::new(Common {
        builder,
        tally: tally.clone(),
        asked: asked.clone(),
    });
    let mut connections = JoinSet::new();
    let mut pause = Pause::NONE;
    let mut permit = None;
    // Whether the wait that is going on has been counted.
    let mut counted = false;
    loop {
        if permit.is_none() {
            permit = handshakes.clone().try_acquire_owned().ok();
        }
        let waits_for = match (connections.len() < most, permit.is_some()) {
            (true, true) => None,
            (false, _) => Some(Limit::Connections),
            (true, false) => Some(Limit::Handshakes),
        };
        if let Some(limit) = waits_for
            && !counted
        {
            met.add(limit);
        }
        counted = waits_for.is_some();
        let accepted = async {
            pause.over().await;
            listener.accept().await
        };
        tokio::select! {
            // Nothing is lost with the others: accepting is cancel safe, ended connections are
            // collected by the next round, and so is a permit that was just given back.
            () = reached(&mut asked, Phase::Serving) => break,
            Some(_) = connections.join_next() => {}
            got = handshakes.clone().acquire_owned(), if permit.is_none() => permit = got.ok(),
            accepted = accepted, if waits_for.is_none() => match accepted {
                Ok((io, peer)) => {
                    pause = Pause::NONE;
                    Tally::count(&tally.accepted);
                    if let Some(permit) = permit.take() {
                        let places = places::<S, L>(&common, &peer);
                        let client = Client { io, peer, permit };
                        connections.spawn(serve::<S, L>(common.clone(), client, places));
                    }
                }
                Err(error) => {
                    tracing::warn!(%error, "accepting failed");
                    Tally::count(&tally.accept_errors);
                    if !concerns_one_connection(&error) {
                        pause.lengthen();
                    }
                }
            },
        }
    }
    drop(listener);
    open.send_replace(false);
    while connections.join_next().await.is_some() {}
}

/// Whether the next client may be luckier.
fn concerns_one_connection(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::ConnectionRefused
            | io::ErrorKind::NotConnected
            | io::ErrorKind::Interrupted
    )
}

/// Somebody who was accepted, and may shake hands.
struct Client<L: Listener> {
    io: L::Io,
    peer: L::Peer,
    permit: OwnedSemaphorePermit,
}

/// What a client takes up as long as it is served.
type Places = (Option<Place>, Option<OriginPlace>);

/// The places for a client, or the limit that leaves none.
fn places<S, L: Listener>(common: &Common<S, L::Peer>, peer: &L::Peer) -> Result<Places, Limit> {
    let Common { builder, tally, .. } = common;
    let place = match builder.refuse_beyond {
        Some(most) => Some(tally.place(most.get()).ok_or(Limit::Connections)?),
        None => None,
    };
    let of_origin = match (builder.max_per_address, L::origin(peer)) {
        (Some(most), Some(origin)) => {
            let place = tally.place_of(origin, most.get());
            Some(place.ok_or(Limit::ConnectionsPerAddress)?)
        }
        _ => None,
    };
    Ok((place, of_origin))
}

async fn serve<S: Send + Sync + 'static, L: Listener>(
    common: Arc<Common<S, L::Peer>>,
    client: Client<L>,
    places: Result<Places, Limit>,
) {
    let mut asked = common.asked.clone();
    let handshake = common.tally.handshake();
    let Client { io, peer, permit } = client;
    let _places = match places {
        Ok(places) => places,
        Err(limit) => {
            Tally::count(&common.tally.refused);
            common.builder.config.limits_met().add(limit);
            tokio::select! {
                () = reached(&mut asked, Phase::Stopping) => {}
                () = refuse::<S, L>(io, &peer, &common.builder) => {}
            }
            return;
        }
    };
    let connection = tokio::select! {
        // A handshake that is cut short leaves nothing behind but its socket, which closes.
        () = reached(&mut asked, Phase::Stopping) => return,
        connection = create::<S, L>(io, peer, &common) => connection,
    };
    drop((permit, handshake));
    let Some(connection) = connection else { return };
    let _counted = common.tally.connection();
    tokio::select! {
        // Waiting for the end is cancel safe.
        _ = connection.closed() => return,
        () = reached(&mut asked, Phase::Stopping) => {
            let close = Close::new().reason("server is shutting down");
            let deadline = asked.borrow().deadline;
            connection.close_with(match deadline {
                Some(deadline) => {
                    let left = deadline.saturating_duration_since(Instant::now());
                    close.wait_for_open_queries(left)
                }
                None => close,
            });
        }
    }
    connection.closed().await;
}

fn described<S, L: Listener>(builder: &Builder<S, L::Peer>, io: &L::Io, peer: &L::Peer) -> Config {
    let description = L::describe(io, peer);
    let config = builder.config.clone();
    config.described(description.clone(), &description)
}

/// Tells a client that there is no place for it: that takes a handshake.
async fn refuse<S, L: Listener>(io: L::Io, peer: &L::Peer, builder: &Builder<S, L::Peer>) {
    let config = described::<S, L>(builder, &io, peer);
    let created = Connection::serve(io, config, &Implementations::empty(), |_| ()).await;
    // One that does not even shake hands has nothing to be told.
    let Ok(connection) = created else { return };
    let close = Close::new().kind(CloseReasonKind::ConnectionLimitReached);
    connection.close_with(close.reason(REFUSAL));
    connection.closed().await;
}

/// The connection, unless the client is not let in, or its handshake fails.
async fn create<S: Send + Sync + 'static, L: Listener>(
    io: L::Io,
    peer: L::Peer,
    common: &Common<S, L::Peer>,
) -> Option<Connection> {
    let Common { builder, tally, .. } = common;
    if let Some(admit) = &builder.admission
        && !admit(peer.clone()).await
    {
        tracing::debug!(?peer, "not accepted");
        Tally::count(&tally.not_admitted);
        return None;
    }
    let mut config = described::<S, L>(builder, &io, &peer);
    if let Some(validate) = builder.validation.clone() {
        let peer = peer.clone();
        config = config.validate(move |identification| validate(peer.clone(), identification));
    }
    let state = |connection: &Connection| (builder.state)(peer.clone(), connection);
    let created = Connection::serve(io, config, &builder.implementations, state).await;
    created
        .inspect_err(|error| {
            Tally::count(&tally.handshakes_failed);
            tell_of_failure(builder, &peer, error);
        })
        .ok()
}

fn tell_of_failure<S, P: Clone + std::fmt::Debug>(
    builder: &Builder<S, P>,
    peer: &P,
    error: &HandshakeError,
) {
    let Some(on_error) = &builder.on_handshake_error else {
        tracing::info!(?peer, error = describe(error), "no connection");
        return;
    };
    let told = catch_unwind(AssertUnwindSafe(|| on_error(peer.clone(), error)));
    if let Err(panic) = told {
        let error = HandlerError::from_panic(&*panic);
        tracing::error!(?peer, %error, "told of a failed handshake, the program panicked");
    }
}

/// Ready once the server is to be that far, or is gone.
async fn reached(asked: &mut watch::Receiver<Asked>, phase: Phase) {
    let _asked = asked.wait_for(|asked| asked.phase >= phase).await;
}
