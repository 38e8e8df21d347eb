//! A peer that speaks bytes, so that a conversation is a script that reads from top to bottom.
//!
//! The peer knows the wire and nothing of the runtime. What it expects has to come within a few
//! seconds of the paused clock; otherwise the test fails where it was expected. Heartbeats are
//! passed over unless they are what is expected. A peer that the script does not mention for a
//! while is silent, and does not read either.

use std::time::Duration;

use bin_prot::{BinWrite, to_vec};
use rpc_core::connection::Config;
use rpc_core::{Connection, Implementations};
use rpc_wire::handshake::PeerMetadata;
use rpc_wire::stream::{self, ABORT_PAYLOAD, EOF_PAYLOAD, Initial, StreamQuery};
use rpc_wire::{
    CloseReason, Data, Description, Header, Menu, Message, ProtocolVersion, Query, QueryHeader,
    QueryId, QueryMetadata, Response, ResponseHeader, RpcError, Specifier, frame,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};
use tokio::time::timeout;

use crate::pair::{CAPACITY, version};

/// Less than the 40 s after which silence ends a connection.
const PATIENCE: Duration = Duration::from_secs(8);

/// One end of a duplex stream, and what was read from it.
#[derive(Debug)]
pub(crate) struct Peer {
    io: DuplexStream,
    unread: Vec<u8>,
    version: ProtocolVersion,
    /// What the peer told of itself: its menu is what ranks refer to.
    own: PeerMetadata,
    /// What the other side told.
    pub(crate) told: PeerMetadata,
}

/// A query that the peer received.
#[derive(Debug)]
pub(crate) struct Asked {
    pub(crate) id: QueryId,
    pub(crate) rpc: Description,
    /// Sorted by key.
    pub(crate) metadata: Vec<(i64, Vec<u8>)>,
    pub(crate) payload: Vec<u8>,
}

/// A response that the peer received.
#[derive(Debug, PartialEq)]
pub(crate) struct Answered {
    pub(crate) id: i64,
    pub(crate) result: Result<Vec<u8>, RpcError>,
}

/// Length and body.
pub(crate) fn framed(value: &impl BinWrite) -> Vec<u8> {
    let mut bytes = Vec::new();
    let write = |buffer: &mut Vec<u8>| value.bin_write(buffer);
    frame::append(&mut bytes, usize::MAX, value.bin_size(), write).unwrap();
    bytes
}

/// The header that offers versions 1 to `highest`.
pub(crate) fn header(highest: ProtocolVersion) -> Header {
    Header::new(ProtocolVersion::all().filter(|version| *version <= highest))
}

impl Peer {
    /// The peer, and the transport that leads to it.
    pub(crate) fn new(capacity: usize) -> (Self, DuplexStream) {
        let (io, theirs) = tokio::io::duplex(capacity);
        let peer = Self {
            io,
            unread: Vec::new(),
            version: ProtocolVersion::MAX,
            own: PeerMetadata::default(),
            told: PeerMetadata::default(),
        };
        (peer, theirs)
    }

    /// A peer that speaks this version without any handshake, and its transport.
    pub(crate) fn at(number: i64) -> (Self, DuplexStream) {
        let (mut peer, io) = Self::new(CAPACITY);
        peer.version = version(number);
        (peer, io)
    }

    /// A connection with the default configuration that implements nothing, and its peer, which
    /// tells nothing of itself.
    pub(crate) async fn called_by_us(number: i64) -> (Connection, Self) {
        Self::open(Config::default(), &Implementations::empty(), (), number).await
    }

    /// A connection, and its peer, which tells nothing of itself.
    pub(crate) async fn open<S: Send + Sync + 'static>(
        config: Config,
        implementations: &Implementations<S>,
        state: S,
        number: i64,
    ) -> (Connection, Self) {
        let (mut peer, io) = Self::new(CAPACITY);
        let (connection, ()) = tokio::join!(
            Connection::serve(io, config, implementations, |_| state),
            peer.shake_hands(number, PeerMetadata::default()),
        );
        (connection.unwrap(), peer)
    }

    /// The same, with a menu of the peer's.
    pub(crate) async fn open_with_menu(
        number: i64,
        menu: impl IntoIterator<Item = Description>,
    ) -> (Connection, Self) {
        let (mut peer, io) = Self::new(CAPACITY);
        let own = PeerMetadata {
            identification: None,
            menu: Some(Menu::new(menu).unwrap()),
        };
        let (connection, ()) = tokio::join!(
            Connection::create(io, Config::default()),
            peer.shake_hands(number, own),
        );
        (connection.unwrap(), peer)
    }

    /// Goes through the handshake, offering versions 1 to `number`.
    pub(crate) async fn shake_hands(&mut self, number: i64, own: PeerMetadata) {
        self.exchange_headers(number).await;
        if let Some(message) = own.to_message(self.version) {
            self.send(&message).await;
            self.told = self.expect_metadata().await;
        }
        self.own = own;
    }

    /// The first half of the handshake.
    pub(crate) async fn exchange_headers(&mut self, number: i64) {
        self.version = version(number);
        self.send_bytes(&framed(&header(self.version))).await;
        self.expect_header().await;
    }

    /// The peer's half of a handshake whose other half goes somewhere else.
    pub(crate) async fn send_handshake(&mut self, number: i64) {
        self.version = version(number);
        self.send_bytes(&framed(&header(self.version))).await;
        if let Some(message) = self.own.to_message(self.version) {
            self.send(&message).await;
        }
    }

    /// Goes through as much of the handshake as the other side does.
    pub(crate) async fn try_to_shake_hands(&mut self, number: i64) {
        self.version = version(number);
        let metadata = self.own.to_message(self.version);
        let metadata = metadata.map(|message| framed(&message));
        for frame in [Some(framed(&header(self.version))), metadata] {
            let Some(frame) = frame else { return };
            // Ended by the other side, or not.
            let sent = self.io.write_all(&frame).await;
            if sent.is_err() || self.next().await.is_none() {
                return;
            }
        }
    }

    pub(crate) async fn expect_header(&mut self) -> Header {
        Header::decode(&self.expect_frame().await).unwrap()
    }

    pub(crate) async fn expect_metadata(&mut self) -> PeerMetadata {
        PeerMetadata::decode(&self.expect_frame().await).unwrap()
    }

    /// Sends bytes, which need not be whole frames.
    pub(crate) async fn send_bytes(&mut self, bytes: &[u8]) {
        let sending = timeout(PATIENCE, self.io.write_all(bytes));
        sending.await.expect("nobody reads").unwrap();
    }

    /// To an end that may be gone.
    pub(crate) async fn try_to_send_bytes(&mut self, bytes: &[u8]) {
        // That is all that can be wrong.
        let _gone = self.io.write_all(bytes).await;
    }

    pub(crate) async fn send_frame(&mut self, body: &[u8]) {
        let length = (body.len() as u64).to_le_bytes();
        self.send_bytes(&[&length, body].concat()).await;
    }

    pub(crate) async fn send(&mut self, message: &Message<'_>) {
        self.send_bytes(&framed(message)).await;
    }

    /// Ends its half of the stream; goes on reading.
    pub(crate) async fn end(&mut self) {
        self.io.shutdown().await.unwrap();
    }

    /// A query for `rpc` by name, as its version has it, with this payload.
    pub(crate) fn query_message(&self, id: i64, rpc: &Description, payload: &[u8]) -> Vec<u8> {
        self.query_with_metadata(id, rpc, payload, &QueryMetadata::new())
    }

    /// The same with as much of this metadata as its version can carry.
    pub(crate) fn query_with_metadata(
        &self,
        id: i64,
        rpc: &Description,
        payload: &[u8],
        metadata: &QueryMetadata,
    ) -> Vec<u8> {
        let id = QueryId::new(id);
        let header = QueryHeader::new(self.version, rpc.as_ref(), None, id, metadata);
        framed(&Message::Query(Query {
            header,
            data: Data::new(payload),
        }))
    }

    /// Calls a plain or one-way RPC.
    pub(crate) async fn query(&mut self, id: i64, rpc: &Description, query: &impl BinWrite) {
        let message = self.query_message(id, rpc, &to_vec(query).unwrap());
        self.send_bytes(&message).await;
    }

    /// Opens a stream.
    pub(crate) async fn open_stream(&mut self, id: i64, rpc: &Description, query: &impl BinWrite) {
        let query = to_vec(query).unwrap();
        let payload = to_vec(&StreamQuery::Query(Data::new(&query))).unwrap();
        let message = self.query_message(id, rpc, &payload);
        self.send_bytes(&message).await;
    }

    pub(crate) async fn abort(&mut self, id: i64, rpc: &Description) {
        let message = self.query_message(id, rpc, ABORT_PAYLOAD);
        self.send_bytes(&message).await;
    }

    /// Answers a query with a payload or an error.
    pub(crate) async fn respond(&mut self, id: QueryId, result: Result<&[u8], RpcError>) {
        let message = Message::Response(Response {
            header: ResponseHeader::new(self.version, id, None),
            result: result.map(Data::new),
        });
        self.send(&message).await;
    }

    /// Answers a plain query.
    pub(crate) async fn answer(&mut self, id: QueryId, response: &impl BinWrite) {
        self.respond(id, Ok(&to_vec(response).unwrap())).await;
    }

    /// Answers the query that opened a stream.
    pub(crate) async fn start(&mut self, id: QueryId, state: &impl BinWrite) {
        self.initial(id, Initial::Ok, state).await;
    }

    /// Answers it with the user's error.
    pub(crate) async fn refuse(&mut self, id: QueryId, error: &impl BinWrite) {
        self.initial(id, Initial::Error, error).await;
    }

    async fn initial(&mut self, id: QueryId, initial: Initial, value: &impl BinWrite) {
        let mut payload = Vec::new();
        initial.write_before(&mut payload);
        value.bin_write(&mut payload).unwrap();
        self.respond(id, Ok(&payload)).await;
    }

    pub(crate) async fn update(&mut self, id: QueryId, update: &impl BinWrite) {
        let mut payload = Vec::new();
        stream::write_before_update(update.bin_size(), &mut payload);
        update.bin_write(&mut payload).unwrap();
        self.respond(id, Ok(&payload)).await;
    }

    pub(crate) async fn end_stream(&mut self, id: QueryId) {
        self.respond(id, Ok(EOF_PAYLOAD)).await;
    }

    /// The next frame's body, a heartbeat's too; `None` at the end of the stream.
    async fn next_frame(&mut self) -> Option<Vec<u8>> {
        loop {
            let split = frame::split(&self.unread, usize::MAX).unwrap();
            if let Some((body, rest)) = split {
                let body = body.to_vec();
                self.unread = rest.to_vec();
                return Some(body);
            }
            if self.io.read_buf(&mut self.unread).await.unwrap() == 0 {
                return None;
            }
        }
    }

    /// The next frame's body, unless it is a heartbeat's.
    async fn next(&mut self) -> Option<Vec<u8>> {
        loop {
            match self.next_frame().await {
                Some(body) if body == [0] => {}
                next => return next,
            }
        }
    }

    /// The next frame's body, which is no heartbeat's.
    pub(crate) async fn expect_frame(&mut self) -> Vec<u8> {
        let next = timeout(PATIENCE, self.next()).await;
        let next = next.expect("nothing came");
        next.expect("the stream ended")
    }

    pub(crate) async fn expect_heartbeat(&mut self) {
        let next = timeout(Duration::from_secs(11), self.next_frame()).await;
        assert_eq!(next, Ok(Some(vec![0])), "no heartbeat");
    }

    /// The end of the stream, with nothing before it.
    pub(crate) async fn expect_end(&mut self) {
        let next = timeout(PATIENCE, self.next()).await;
        assert_eq!(next, Ok(None), "the stream did not end");
        assert!(self.unread.is_empty(), "the stream ended inside a frame");
    }

    /// The end of the stream, with not even a heartbeat before it.
    pub(crate) async fn expect_end_at_once(&mut self) {
        let next = timeout(PATIENCE, self.next_frame()).await;
        assert_eq!(next, Ok(None), "the stream did not end");
    }

    pub(crate) async fn expect_close_started(&mut self) {
        assert_eq!(self.expect_frame().await, [0x0a]);
    }

    /// Nothing for this long.
    pub(crate) async fn expect_silence(&mut self, duration: Duration) {
        let next = timeout(duration, self.next()).await;
        assert!(next.is_err(), "{next:02x?} came");
    }

    pub(crate) async fn expect_query(&mut self) -> Asked {
        let body = self.expect_frame().await;
        let Ok(Message::Query(query)) = Message::decode(&body) else {
            panic!("{body:02x?} is no query");
        };
        let rpc = match query.header.specifier() {
            Specifier::Description(rpc) => rpc.to_description(),
            Specifier::Rank(rank) => {
                let menu = self.own.menu.as_ref().expect("a rank, but no menu");
                let entry = &menu.entries()[usize::try_from(rank).unwrap()];
                entry.description.clone()
            }
        };
        let metadata = query.header.all_metadata();
        let mut metadata: Vec<_> = metadata.map(|(key, bytes)| (key, bytes.to_vec())).collect();
        metadata.sort_unstable();
        Asked {
            id: query.header.id,
            rpc,
            metadata,
            payload: query.data.bytes().unwrap().to_vec(),
        }
    }

    /// The end that a caller asks for, of the stream with this id.
    pub(crate) async fn expect_abort(&mut self, id: QueryId) {
        let asked = self.expect_query().await;
        assert!(stream::is_abort(&asked.payload), "{asked:?} is no abort");
        assert_eq!(asked.id, id);
    }

    pub(crate) async fn expect_response(&mut self) -> Answered {
        let body = self.expect_frame().await;
        let Ok(Message::Response(response)) = Message::decode(&body) else {
            panic!("{body:02x?} is no response");
        };
        Answered {
            id: response.header.id.get(),
            result: response.result.map(|data| data.bytes().unwrap().to_vec()),
        }
    }

    /// The responses that are there.
    pub(crate) async fn responses_so_far(&mut self) -> Vec<Answered> {
        let mut responses = Vec::new();
        while let Ok(Some(body)) = timeout(Duration::ZERO, self.next()).await {
            if let Ok(Message::Response(response)) = Message::decode(&body) {
                responses.push(Answered {
                    id: response.header.id.get(),
                    result: response.result.map(|data| data.bytes().unwrap().to_vec()),
                });
            }
        }
        responses
    }

    /// This response.
    pub(crate) async fn expect_answer(&mut self, id: i64, response: &impl BinWrite) {
        let result = Ok(to_vec(response).unwrap());
        assert_eq!(self.expect_response().await, Answered { id, result });
    }

    /// The initial response of a stream, with this state.
    pub(crate) async fn expect_start(&mut self, id: i64, state: &impl BinWrite) {
        let mut payload = vec![0, 0];
        state.bin_write(&mut payload).unwrap();
        let result = Ok(payload);
        assert_eq!(self.expect_response().await, Answered { id, result });
    }

    pub(crate) async fn expect_update(&mut self, id: i64, update: &impl BinWrite) {
        let mut payload = Vec::new();
        stream::write_before_update(update.bin_size(), &mut payload);
        update.bin_write(&mut payload).unwrap();
        let result = Ok(payload);
        assert_eq!(self.expect_response().await, Answered { id, result });
    }

    pub(crate) async fn expect_end_of_stream(&mut self, id: i64) {
        let result = Ok(EOF_PAYLOAD.to_vec());
        assert_eq!(self.expect_response().await, Answered { id, result });
    }

    pub(crate) async fn expect_error(&mut self, id: i64) -> RpcError {
        let answered = self.expect_response().await;
        assert_eq!(answered.id, id);
        answered.result.expect_err("an answer, not an error")
    }

    pub(crate) async fn expect_close_reason(&mut self) -> CloseReason {
        let body = self.expect_frame().await;
        match Message::decode(&body) {
            Ok(Message::CloseReason(info)) => info.into(),
            Ok(Message::CloseReasonV2(reason)) => (*reason).into(),
            _ => panic!("{body:02x?} is no close reason"),
        }
    }
}
