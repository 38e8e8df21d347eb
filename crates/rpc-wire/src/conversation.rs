//! Both directions of a captured connection, decoded together.
//!
//! One direction alone tells little: a query may name its RPC by its position in the menu that the
//! *other* side sent, and a response says only to which query of the other side it belongs. A
//! [`Conversation`] takes the bytes of both and gives one [`Event`] for each message, with names
//! found, responses matched and the layer of streams taken off.
//!
//! ```text
//!  bytes, any chunks ──► FromClient ┐                    header, negotiated, metadata,
//!                                   ├──► next_event() ──► query, response, heartbeat,
//!  bytes, any chunks ──► FromServer ┘                    close started, close reason
//! ```
//!
//! # Order
//!
//! Bytes may be fed in any order: as they were captured, or one direction after the other. Nothing
//! is understood before what it depends on. A query waits for the callee's metadata, a response for
//! its query, a second frame for the other side's header: exactly what the sender itself had to
//! have received. [`waits_for`](Conversation::waits_for) tells that a direction is stuck like this
//! and that the other one should be fed. Bytes fed in the order of their capture hardly ever wait.
//!
//! Waiting ends without its object when the opposite direction has [ended](Conversation::end) or
//! failed, or when the bytes kept meanwhile exceed a limit: then a name stays a rank, and a response
//! has no query. So a capture of one direction can be decoded too: end the other one first.
//!
//! # Memory
//!
//! Bounded, if the events are taken after each feeding: the bytes fed, one frame
//! ([`frame_limit`](Conversation::frame_limit)), what waits
//! ([`waiting_limit`](Conversation::waiting_limit)), the menus, and the queries that may still be
//! answered ([`open_queries_limit`](Conversation::open_queries_limit)).
//!
//! # Examples
//!
//! ```
//! use rpc_wire::conversation::{Content, Conversation, Direction, ResponseItem};
//!
//! // Version 1: headers, a query `echo` version 1 with id 1, its answer.
//! let header = [7, 0, 0, 0, 0, 0, 0, 0, 2, 0xfd, b'R', b'P', b'C', 0, 1];
//! let query = b"\x0f\0\0\0\0\0\0\0\x01\x04echo\x01\x01\x06\x05hello";
//! let answer = b"\x0a\0\0\0\0\0\0\0\x02\x01\0\x06\x05hello";
//!
//! let mut conversation = Conversation::default();
//! conversation.feed(Direction::FromServer, &header);
//! conversation.feed(Direction::FromServer, answer);
//! conversation.feed(Direction::FromClient, &header);
//! conversation.feed(Direction::FromClient, query);
//! let mut answers = 0;
//! while let Some(event) = conversation.next_event() {
//!     let event = event?;
//!     if let Content::Response(response) = event.content {
//!         let query = response.query.expect("the query was fed");
//!         assert_eq!(query.rpc.to_string(), "echo version 1");
//!         assert_eq!(response.item, ResponseItem::Answer("\x05hello".into()));
//!         assert_eq!((event.offset, event.frame_bytes), (15, 18));
//!         answers += 1;
//!     }
//! }
//! assert_eq!(answers, 1);
//! # Ok::<(), rpc_wire::conversation::Error>(())
//! ```

mod error;
mod event;
mod interpret;
mod lane;
mod open_queries;

use std::collections::HashSet;
use std::fmt;
use std::sync::Arc;

use bytes::Bytes;

use crate::handshake::{FirstFrameError, MetadataError, NegotiationError, PeerMetadata, negotiate};
use crate::{Description, Header, OwnedMessage, ProtocolVersion, QueryId, frame};
use interpret::{Callee, Obstacle};
use lane::{Lane, Next};
use open_queries::OpenQueries;

pub use error::{Cause, Error};
pub use event::{
    AnsweredQuery, Content, Direction, Event, Malformed, Query, QueryForm, Response, ResponseItem,
    Rpc,
};

/// Decodes both directions of a connection; see the [module](self).
#[derive(Debug)]
pub struct Conversation {
    client: Side,
    server: Side,
    version: Version,
    plain_rpcs: Arc<HashSet<Description>>,
    frame_limit: usize,
    waiting_limit: usize,
}

/// What is kept of one direction.
#[derive(Debug)]
struct Side {
    lane: Lane,
    phase: Phase,
    header: Option<Header>,
    metadata: Option<Arc<PeerMetadata>>,
    /// Its queries.
    open: OpenQueries,
    waits_for: Option<Awaited>,
}

/// Which frame of a direction comes next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Header,
    Second,
    Messages,
}

/// How far the negotiation is.
#[derive(Debug)]
enum Version {
    Pending,
    /// The second header came from this direction, with the frame at this offset; not yet told.
    Reached {
        direction: Direction,
        offset: u64,
        result: Result<ProtocolVersion, NegotiationError>,
    },
    Known(ProtocolVersion),
    Failed,
}

/// What a direction needs of the opposite one before it can go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Awaited {
    /// Its header.
    Header,
    /// Its metadata.
    Metadata,
    /// Its query with this id.
    Query(QueryId),
}

impl fmt::Display for Awaited {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Header => f.write_str("the header"),
            Self::Metadata => f.write_str("the connection metadata"),
            Self::Query(id) => write!(f, "the query with id {id}"),
        }
    }
}

/// What became of the attempt to understand the next frame of a direction.
enum Step {
    Event(Event),
    Failed(Error),
    /// More bytes are needed, of this direction or of the other one.
    Nothing,
}

/// The default of [`Conversation::waiting_limit`].
const WAITING_LIMIT: usize = 16 * 1024 * 1024;
/// The default of [`Conversation::open_queries_limit`].
const OPEN_QUERIES_LIMIT: usize = 65_536;

impl Default for Conversation {
    fn default() -> Self {
        let side = || Side {
            lane: Lane::new(),
            phase: Phase::Header,
            header: None,
            metadata: None,
            open: OpenQueries::new(OPEN_QUERIES_LIMIT),
            waits_for: None,
        };
        Self {
            client: side(),
            server: side(),
            version: Version::Pending,
            plain_rpcs: Arc::default(),
            frame_limit: frame::DEFAULT_LIMIT,
            waiting_limit: WAITING_LIMIT,
        }
    }
}

impl Conversation {
    /// A conversation whose headers were known beforehand and are not in the bytes (rule C-HS-11):
    /// it begins with the metadata, or at versions 1 and 2 with the first messages.
    pub fn with_version(version: ProtocolVersion) -> Self {
        let mut conversation = Self {
            version: Version::Known(version),
            ..Self::default()
        };
        conversation.client.phase = Phase::Second;
        conversation.server.phase = Phase::Second;
        conversation
    }

    /// The largest body of a frame, in bytes; a longer one is an error. Default: the reference's
    /// [100 MiB](frame::DEFAULT_LIMIT).
    #[must_use]
    pub fn frame_limit(mut self, bytes: usize) -> Self {
        self.frame_limit = bytes;
        self
    }

    /// How many bytes of a direction are kept behind a frame that waits for the other direction.
    /// With more than that it waits no longer. Default: 16 MiB.
    #[must_use]
    pub fn waiting_limit(mut self, bytes: usize) -> Self {
        self.waiting_limit = bytes;
        self
    }

    /// How many queries of each direction are kept for their responses. One-way messages are among
    /// them and are never answered, so the oldest ones are forgotten for new ones; from then on no
    /// response waits for its query. Default: 65,536.
    #[must_use]
    pub fn open_queries_limit(mut self, queries: usize) -> Self {
        self.client.open = OpenQueries::new(queries);
        self.server.open = OpenQueries::new(queries);
        self
    }

    /// RPCs that are known to be plain or one-way, in either direction. Payloads of theirs are never
    /// taken for queries or items of streams, whatever they look like. A menu with digests tells it of
    /// its own RPCs, and is right where it contradicts this. Default: none.
    #[must_use]
    pub fn plain_rpcs(mut self, rpcs: Arc<HashSet<Description>>) -> Self {
        self.plain_rpcs = rpcs;
        self
    }

    /// Takes the next bytes of a direction. Those after its [end](Self::end) or its error are
    /// dropped.
    pub fn feed(&mut self, direction: Direction, bytes: &[u8]) {
        self.side_mut(direction).lane.feed(bytes);
    }

    /// Nothing more comes in this direction, or none of it was captured.
    pub fn end(&mut self, direction: Direction) {
        self.side_mut(direction).lane.end();
    }

    /// What a direction waited for when [`next_event`](Self::next_event) was last asked.
    pub fn waits_for(&self, direction: Direction) -> Option<Awaited> {
        self.side(direction).waits_for
    }

    /// The negotiated version, once both headers were understood.
    pub fn version(&self) -> Option<ProtocolVersion> {
        match self.version {
            Version::Known(version) => Some(version),
            Version::Pending | Version::Reached { .. } | Version::Failed => None,
        }
    }

    /// How many queries of a direction may still be answered, one-way messages among them.
    pub fn open_queries(&self, direction: Direction) -> usize {
        self.side(direction).open.len()
    }

    /// The next message of either direction; `None` while more bytes are needed.
    ///
    /// Messages of one direction come in their order. Of two directions, no message comes before
    /// one that it depends on.
    ///
    /// # Errors
    /// A direction makes no sense from some byte on. It gives no further events; the other one may.
    pub fn next_event(&mut self) -> Option<Result<Event, Error>> {
        if let Some(outcome) = self.tell_version() {
            return Some(outcome);
        }
        for direction in Direction::BOTH {
            match self.step(direction, true) {
                Step::Event(event) => return Some(Ok(event)),
                Step::Failed(error) => return Some(Err(error)),
                Step::Nothing => {}
            }
        }
        // Both directions are complete, yet each waits for the other: nothing will come.
        if self.client.lane.is_ended() && self.server.lane.is_ended() {
            for direction in Direction::BOTH {
                match self.step(direction, false) {
                    Step::Event(event) => return Some(Ok(event)),
                    Step::Failed(error) => return Some(Err(error)),
                    Step::Nothing => {}
                }
            }
        }
        None
    }

    fn side(&self, direction: Direction) -> &Side {
        match direction {
            Direction::FromClient => &self.client,
            Direction::FromServer => &self.server,
        }
    }

    fn side_mut(&mut self, direction: Direction) -> &mut Side {
        match direction {
            Direction::FromClient => &mut self.client,
            Direction::FromServer => &mut self.server,
        }
    }

    fn tell_version(&mut self) -> Option<Result<Event, Error>> {
        let version = std::mem::replace(&mut self.version, Version::Failed);
        let Version::Reached {
            direction,
            offset,
            result,
        } = version
        else {
            self.version = version;
            return None;
        };
        match result {
            Ok(version) => {
                self.version = Version::Known(version);
                Some(Ok(Event {
                    direction,
                    offset,
                    frame_bytes: 0,
                    content: Content::Negotiated(version),
                }))
            }
            Err(error) => Some(Err(self.fail(direction, offset, error.into()))),
        }
    }

    fn fail(&mut self, direction: Direction, frame_offset: u64, cause: Cause) -> Error {
        let side = self.side_mut(direction);
        side.lane.fail();
        side.waits_for = None;
        let in_frame = cause
            .offset_in_body()
            .map_or(0, |offset| frame::LENGTH_BYTES + offset);
        Error {
            direction,
            frame_offset,
            offset: frame_offset + in_frame as u64,
            cause,
        }
    }

    /// Understands the next frame of a direction. With `is_patient` it may have to wait for the
    /// other direction.
    fn step(&mut self, direction: Direction, is_patient: bool) -> Step {
        let limit = self.frame_limit;
        let side = self.side_mut(direction);
        side.waits_for = None;
        if side.lane.has_failed() {
            return Step::Nothing;
        }
        let offset = side.lane.offset();
        let body = match side.lane.next(limit) {
            Ok(Next::Frame(body)) => body,
            Ok(Next::Incomplete | Next::Ended { inside: 0 }) => return Step::Nothing,
            Ok(Next::Ended { inside }) => {
                let cause = Cause::EndInsideFrame(inside);
                return Step::Failed(self.fail(direction, offset, cause));
            }
            Err(error) if offset == 0 => {
                let cause = FirstFrameError::from(error).into();
                return Step::Failed(self.fail(direction, offset, cause));
            }
            Err(error) => return Step::Failed(self.fail(direction, offset, error.into())),
        };
        let may_wait = is_patient
            && side.lane.backlog() <= self.waiting_limit
            && !self.side(direction.opposite()).lane.is_over();
        match self.understand(direction, offset, &body, may_wait) {
            Ok(content) => {
                let (offset, frame_bytes) = self.side_mut(direction).lane.consume();
                Step::Event(Event {
                    direction,
                    offset,
                    frame_bytes,
                    content,
                })
            }
            Err(Obstacle::Awaits(awaited)) => {
                self.side_mut(direction).waits_for = Some(awaited);
                Step::Nothing
            }
            Err(Obstacle::Nonsense(cause)) => Step::Failed(self.fail(direction, offset, cause)),
        }
    }

    fn understand(
        &mut self,
        direction: Direction,
        offset: u64,
        body: &Bytes,
        may_wait: bool,
    ) -> Result<Content, Obstacle> {
        let phase = self.side(direction).phase;
        match phase {
            Phase::Header => self.header(direction, offset, body),
            Phase::Second => {
                let is_metadata = match self.version {
                    Version::Known(version) => version.has_connection_metadata(),
                    Version::Pending if may_wait => return Err(Obstacle::Awaits(Awaited::Header)),
                    // Only one direction is known: the message itself has to tell.
                    _ => matches!(body.first(), Some(0x04 | 0x07)),
                };
                let content = if is_metadata {
                    self.metadata(direction, body)
                } else {
                    self.message(direction, offset, body, may_wait)
                };
                if content.is_ok() {
                    self.side_mut(direction).phase = Phase::Messages;
                }
                content
            }
            Phase::Messages => self.message(direction, offset, body, may_wait),
        }
    }

    fn header(
        &mut self,
        direction: Direction,
        offset: u64,
        body: &[u8],
    ) -> Result<Content, Obstacle> {
        let header = Header::decode(body).map_err(|error| Obstacle::Nonsense(error.into()))?;
        // Two sides of another protocol would agree with each other, but not with us.
        if header.other_protocol().is_some()
            && let Err(error) = negotiate(&Header::default(), &header)
        {
            return Err(Obstacle::Nonsense(error.into()));
        }
        if let Some(first) = &self.side(direction.opposite()).header {
            // The rule is symmetric, except that one's own header has to name the protocol; the
            // first one may be that of a legacy peer.
            let result = match negotiate(first, &header) {
                Err(NegotiationError::OwnProtocolUnknown) => negotiate(&header, first),
                result => result,
            };
            self.version = Version::Reached {
                direction,
                offset,
                result,
            };
        }
        let side = self.side_mut(direction);
        side.phase = Phase::Second;
        side.header = Some(header.clone());
        Ok(Content::Header(header))
    }

    fn metadata(&mut self, direction: Direction, body: &[u8]) -> Result<Content, Obstacle> {
        match PeerMetadata::decode(body) {
            Ok(metadata) => {
                let metadata = Arc::new(metadata);
                self.side_mut(direction).metadata = Some(Arc::clone(&metadata));
                Ok(Content::Metadata(metadata))
            }
            // The peer was refused, and is told so in place of the metadata (C-HF-14).
            Err(MetadataError::Closed(reason)) => Ok(Content::CloseReason(*reason)),
            Err(error) => Err(Obstacle::Nonsense(error.into())),
        }
    }

    fn message(
        &mut self,
        direction: Direction,
        offset: u64,
        body: &Bytes,
        may_wait: bool,
    ) -> Result<Content, Obstacle> {
        let message =
            OwnedMessage::decode(body).map_err(|error| Obstacle::Nonsense(error.into()))?;
        let has_metadata = self
            .version()
            .is_some_and(ProtocolVersion::has_connection_metadata);
        let (this, opposite) = match direction {
            Direction::FromClient => (&mut self.client, &mut self.server),
            Direction::FromServer => (&mut self.server, &mut self.client),
        };
        match message {
            OwnedMessage::Heartbeat => Ok(Content::Heartbeat),
            OwnedMessage::Query(query) => {
                let callee = match &opposite.metadata {
                    Some(metadata) => Callee::Metadata(metadata),
                    None if may_wait && has_metadata && opposite.phase != Phase::Messages => {
                        Callee::Pending
                    }
                    None => Callee::Unknown,
                };
                interpret::query(&query, offset, callee, &self.plain_rpcs, &mut this.open)
                    .map(Content::Query)
            }
            OwnedMessage::Response(response) => {
                interpret::response(&response, &mut opposite.open, may_wait).map(Content::Response)
            }
            OwnedMessage::Metadata(_) | OwnedMessage::MetadataV2(_) => {
                Err(Obstacle::Nonsense(Cause::MetadataAgain))
            }
            OwnedMessage::CloseReason(info) | OwnedMessage::CloseReasonDuplicated(info) => {
                Ok(Content::CloseReason(info.into()))
            }
            OwnedMessage::CloseStarted => Ok(Content::CloseStarted),
            OwnedMessage::CloseReasonV2(reason) => Ok(Content::CloseReason((*reason).into())),
        }
    }
}
