//! What happens in a simulation: the trace consists of facts, and the invariants judge them.

use std::fmt;
use std::time::Duration;

use crate::names::{ConsumerName, DurableName, LinkName, ServerName, StreamName, SubscriptionName};
use crate::plan::ConsumerPlan;
use crate::plan::action::Action;

/// Something that happened.
#[derive(Clone, Debug, PartialEq)]
pub enum Fact {
    /// The adversary began something.
    Acted(Action),
    /// Something that lasted is over.
    Over(Action),
    /// All faults are over.
    Calm,
    /// A consumer subscribed.
    Subscribed(Subscribed),
    /// The first attempt of a subscription that depends on it failed: there is none.
    NotSubscribed(SubscriptionName, String),
    /// A subscription gave this event to its consumer.
    Saw(SubscriptionName, Seen),
    /// A subscription's stream of events ended.
    Ended(SubscriptionName),
    /// The consumer closed or dropped its subscription, or gave up making it.
    Closed(SubscriptionName),
    /// The consumer does not read for this long.
    Pauses(SubscriptionName, Duration),
    /// The consumer asks for a new stream.
    Resubscribes(SubscriptionName),
    /// An update does not fit the state that it is to be folded into.
    Misfit(SubscriptionName, String),
    /// A durable value told that it is intact, or that it is not.
    Intact(DurableName, bool),
    /// A durable value was asked whether it is broken, and is.
    FoundBroken(DurableName),
    /// A durable value calls its function that creates, or the one that rebuilds.
    BuildStarted(DurableName, Build),
    /// That function returned, with a connection over this link, or without.
    BuildEnded(DurableName, Result<LinkName, String>),
    /// A persistent connection begins an attempt.
    ConnectStarted(DurableName),
    /// The attempt ended.
    ConnectEnded(DurableName, Result<LinkName, String>),
    /// What a persistent connection tells.
    Persistent(DurableName, Kept),
    /// The network made a connection.
    LinkOpened(LinkName, DurableName, ServerName),
    /// The client's end was told that the link has ended.
    LinkEnded(LinkName),
    /// From now on nothing more arrives at the client's end, and it is not told.
    LinkSilent(LinkName),
    /// The client's end is not wanted any more: the connection has ended on its side.
    LinkLeft(LinkName),
    /// Both ends are gone.
    LinkGone(LinkName),
    /// The client's end sent a query of this subscription, with this id.
    QuerySent(LinkName, SubscriptionName, i64),
    /// The client's end sent an abort of the stream with this id.
    AbortSent(LinkName, i64),
    /// The answer to the query with this id arrived: a stream begins.
    StreamAgreed(LinkName, i64),
    /// An update of the stream with this id arrived at the client's end.
    UpdateArrived(LinkName, i64),
    /// The last message of the stream with this id, or in place of it, arrived.
    StreamOver(LinkName, i64),
    /// A server got a query.
    Asked(ServerName, SubscriptionName, bool),
    /// A server answered with an error of its own, which has this number.
    Refused(SubscriptionName, u64),
    /// A server agreed to a stream.
    StreamOpened(StreamName, SubscriptionName, LinkName),
    /// A server gave something to the stream that is no update, after so many updates.
    Garbled(StreamName, i64),
    /// A server ended the stream by itself, after so many updates.
    StreamEnded(StreamName, i64),
    /// A server dropped the stream.
    StreamDropped(StreamName),
    /// Something in the background panicked.
    Panicked(String),
    /// A look at everything.
    Census(Census),
}

/// How a subscription was made.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Subscribed {
    /// The new subscription.
    pub subscription: SubscriptionName,
    /// Whose it is.
    pub consumer: ConsumerName,
    /// How it is made and read.
    pub plan: ConsumerPlan,
}

/// Which function a durable value called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Build {
    /// The one that creates.
    Create,
    /// The one that rebuilds.
    Rebuild,
}

/// An event of a persistent connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kept {
    /// A cycle begins.
    Attempting,
    /// The address was looked up, and is another one.
    Address(u32),
    /// An attempt failed.
    Failed(String),
    /// There is a connection.
    Connected,
    /// There was one.
    Disconnected,
}

/// An event of a durable subscription, of whatever form.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Seen {
    /// An attempt begins.
    Attempting,
    /// It succeeded: the stream with this id.
    Success(i64),
    /// The state.
    State {
        /// The stream that it begins.
        stream: StreamName,
        /// What its server had published.
        number: i64,
    },
    /// An update.
    Update {
        /// The stream that it belongs to.
        stream: StreamName,
        /// Its index in it, and before it that of the first one that was merged into it.
        indices: (i64, i64),
        /// What was published with it.
        number: i64,
        /// Whether the rest of it is what was sent.
        intact: bool,
    },
    /// What a followed state is.
    Current {
        /// Whether it is fresh.
        fresh: bool,
        /// What was folded into it, unless it is unknown.
        folded: Option<Folded>,
    },
    /// The stream ended.
    Lost,
    /// The attempt failed.
    Failed(String),
    /// The attempt was answered with the callee's own error.
    RpcError(String),
}

/// A state, and the updates that have been folded into it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Folded {
    /// The stream that they belong to.
    pub stream: StreamName,
    /// What was published with the last one.
    pub number: i64,
    /// How many of them there are.
    pub updates: u64,
}

/// What there is at some time.
#[derive(Clone, Debug, PartialEq)]
pub struct Census {
    /// When in the simulation it is taken.
    pub moment: Moment,
    /// What each server has published.
    pub published: Vec<i64>,
    /// Links that have not gone.
    pub links: Vec<LinkName>,
    /// Tasks of the runtime.
    pub tasks: usize,
}

/// When a [`Census`] is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moment {
    /// All subscriptions must have recovered.
    Recovered,
    /// All subscriptions have been closed; the connections have not.
    SubscriptionsClosed,
    /// Everything has been closed.
    AllClosed,
}

impl fmt::Display for Fact {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Acted(action) => write!(f, "*** {action}"),
            Self::Over(action) => write!(f, "*** over: {action}"),
            Self::Calm => f.write_str("*** faults are over"),
            Self::Subscribed(subscribed) => write!(
                f,
                "{} subscribes: {}, {:?} on {}",
                subscribed.consumer,
                subscribed.subscription,
                subscribed.plan.form,
                subscribed.plan.durable
            ),
            Self::NotSubscribed(subscription, why) => write!(f, "{subscription} failed: {why}"),
            Self::Saw(subscription, seen) => write!(f, "{subscription} {seen}"),
            Self::Ended(subscription) => write!(f, "{subscription} gives no more events"),
            Self::Closed(subscription) => write!(f, "{subscription} is closed"),
            Self::Pauses(subscription, lasts) => {
                write!(f, "{subscription} is not read for {lasts:?}")
            }
            Self::Resubscribes(subscription) => write!(f, "{subscription} wants a new stream"),
            Self::Misfit(subscription, text) => write!(f, "{subscription} misfit: {text}"),
            Self::Intact(durable, intact) => write!(f, "{durable} tells: intact is {intact}"),
            Self::FoundBroken(durable) => write!(f, "{durable} is found broken"),
            Self::BuildStarted(durable, build) => write!(f, "{durable}: {build:?}"),
            Self::BuildEnded(durable, Ok(link)) => write!(f, "{durable} is {link} now"),
            Self::BuildEnded(durable, Err(why)) => write!(f, "{durable} failed: {why}"),
            Self::ConnectStarted(durable) => write!(f, "{durable} connects"),
            Self::ConnectEnded(durable, Ok(link)) => write!(f, "{durable} has {link}"),
            Self::ConnectEnded(durable, Err(why)) => write!(f, "{durable} has failed: {why}"),
            Self::Persistent(durable, kept) => write!(f, "{durable} tells: {kept:?}"),
            Self::LinkOpened(link, durable, server) => {
                write!(f, "{link} connects {durable} to {server}")
            }
            Self::LinkEnded(link) => write!(f, "{link} ended, as its client is told"),
            Self::LinkSilent(link) => write!(f, "{link} carries nothing to its client any more"),
            Self::LinkLeft(link) => write!(f, "{link} ends on its client's side"),
            Self::LinkGone(link) => write!(f, "{link} is gone"),
            Self::QuerySent(link, subscription, id) => {
                write!(f, "{subscription} sent query {id} over {link}")
            }
            Self::AbortSent(link, id) => write!(f, "abort of {id} sent over {link}"),
            Self::StreamAgreed(link, id) => write!(f, "the answer to {id} arrived over {link}"),
            Self::UpdateArrived(link, id) => write!(f, "update for {id} arrived over {link}"),
            Self::StreamOver(link, id) => write!(f, "the end of {id} arrived over {link}"),
            Self::Asked(server, subscription, intact) => {
                let how = if *intact { "" } else { " what it did not ask" };
                write!(f, "{server} is asked by {subscription}{how}")
            }
            Self::Refused(subscription, number) => write!(f, "{subscription} gets error {number}"),
            Self::StreamOpened(stream, subscription, link) => {
                write!(f, "{stream} opened for {subscription} over {link}")
            }
            Self::Garbled(stream, after) => write!(f, "{stream} garbled after {after} updates"),
            Self::StreamEnded(stream, after) => {
                write!(f, "{stream} ended by its server after {after} updates")
            }
            Self::StreamDropped(stream) => write!(f, "{stream} dropped by its server"),
            Self::Panicked(text) => write!(f, "panic: {text}"),
            Self::Census(census) => write!(
                f,
                "{:?}: published {:?}, {} links, {} tasks",
                census.moment,
                census.published,
                census.links.len(),
                census.tasks
            ),
        }
    }
}

impl fmt::Display for Seen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Attempting => f.write_str("<- attempting"),
            Self::Success(id) => write!(f, "<- success, query {id}"),
            Self::State { stream, number } => write!(f, "<- state {number} of {stream}"),
            Self::Update {
                stream,
                indices: (first, last),
                number,
                intact,
            } => {
                let how = if *intact { "" } else { ", damaged" };
                write!(f, "<- update ")?;
                if first != last {
                    write!(f, "{first} to ")?;
                }
                write!(f, "{last} of {stream}: {number}{how}")
            }
            Self::Current { fresh, folded } => {
                let how = if *fresh { "fresh" } else { "stale" };
                match folded {
                    Some(folded) => write!(f, "is {how}: {} of {}", folded.number, folded.stream),
                    None => write!(f, "is {how}: nothing"),
                }
            }
            Self::Lost => f.write_str("<- lost"),
            Self::Failed(why) => write!(f, "<- failed: {why}"),
            Self::RpcError(error) => write!(f, "<- error: {error}"),
        }
    }
}
