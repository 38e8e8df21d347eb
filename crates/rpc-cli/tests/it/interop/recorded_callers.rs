//! Recorded clients against our server: it answers what the recorded server answered.
//!
//! What may differ: the order of answers to different queries, what time decides, and how errors
//! are put into words.

use std::collections::{BTreeMap, BTreeSet};
use std::net::TcpStream;
use std::thread;

use bin_prot::{ByteString, from_slice, to_vec};
use rpc_testkit::recording::{BEYOND_THE_SUITE, Side};
use rpc_testkit::wording::is_same_error;
use rpc_wire::handshake::PeerMetadata;
use rpc_wire::stream::{EOF_PAYLOAD, is_abort};
use rpc_wire::{Data, Message, Query, QueryId, Response, RpcDigests, Specifier};

use super::script::{Kind, Script};
use super::wire::Wire;
use crate::process::Process;

#[test]
fn our_server_answers_recorded_clients_as_the_recorded_server_did() {
    let scripts = Script::all(|recording| {
        let case = recording.case.as_str();
        // A client that closes asks nothing that the suite's server does not have.
        !BEYOND_THE_SUITE.contains(&case) || case.starts_with("close-")
    });
    assert!(scripts.len() > 100, "{}", scripts.len());
    let mut by_wire = BTreeMap::<_, Vec<_>>::new();
    for script in scripts {
        let highest = script.highest(Side::Callee);
        by_wire.entry(highest).or_default().push(script);
    }
    thread::scope(|scope| {
        for (highest, scripts) in by_wire {
            scope.spawn(move || {
                let wire = format!("1-{highest}");
                let options = ["--wire", &wire, "--identification", "oracle-server"];
                let (_server, address) = Process::interop_serve(&options);
                for script in scripts {
                    check(script, &address);
                }
            });
        }
    });
}

#[track_caller]
fn check(mut script: Script, address: &str) {
    let second = script.second.take();
    let second = second.map(|script| Player::new(address, *script));
    let mut first = Player::new(address, script);
    // The first connection asks what becomes of the second one: before, during, after.
    if let Some(mut second) = second {
        first.play(1);
        second.play(usize::MAX);
        first.play(1);
        second.end();
        first.ticks_ended = true;
    }
    first.play(usize::MAX);
    first.end();
}

/// One recorded connection, being played at our server.
struct Player {
    script: Script,
    wire: Wire,
    next: usize,
    /// Streams that the client has aborted.
    aborted: BTreeSet<QueryId>,
    /// Those of them that our server has ended.
    ended: BTreeSet<QueryId>,
    /// Whether a stream of `ticks` was ended, here or on another connection.
    ticks_ended: bool,
    fresh_id: i64,
}

impl Player {
    fn new(address: &str, script: Script) -> Self {
        Self {
            script,
            wire: Wire::new(TcpStream::connect(address).unwrap()),
            next: 0,
            aborted: BTreeSet::new(),
            ended: BTreeSet::new(),
            ticks_ended: false,
            // Above those that were recorded.
            fresh_id: 1000,
        }
    }

    /// Plays so many of the client's messages, and what the server answered until the next one.
    #[track_caller]
    fn play(&mut self, mut messages: usize) {
        while let Some(step) = self.script.steps.get(self.next).cloned() {
            match (step.from, step.kind) {
                (Side::Callee, kind) => self.expect(kind, &step.body),
                (Side::Caller, Kind::Message) if messages == 0 => return,
                (Side::Caller, kind) => {
                    messages -= usize::from(kind == Kind::Message);
                    self.send(&step.body);
                }
            }
            self.next += 1;
        }
    }

    fn send(&mut self, body: &[u8]) {
        if let Ok(Message::Query(query)) = Message::decode(body)
            && is_abort(query.data.bytes().unwrap())
        {
            self.aborted.insert(query.header.id);
            self.ticks_ended = true;
        }
        self.wire.send(body);
    }

    /// The side that was recorded to end the connection does so.
    #[track_caller]
    fn end(mut self) {
        if self.script.ended_by == Side::Caller {
            self.wire.end();
        }
        let rest = self.wire.rest();
        assert!(rest.is_empty(), "{}: {rest:02x?}", self.script.name);
    }

    #[track_caller]
    fn expect(&mut self, kind: Kind, recorded: &[u8]) {
        if let (Kind::Message, Ok(Message::Response(recorded))) = (kind, Message::decode(recorded))
        {
            return self.expect_response(&recorded);
        }
        let sent = self.wire.next_but_responses();
        let sent = sent.expect("the server ended the stream");
        match kind {
            Kind::Header => assert_eq!(sent, recorded),
            Kind::Metadata => check_metadata(&sent, recorded),
            // A reason for closing, whose words are ours.
            Kind::Message => {
                let kind = |body| Message::decode(body).unwrap().kind();
                assert_eq!(kind(&sent), kind(recorded), "{}", self.script.name);
            }
        }
    }

    #[track_caller]
    fn expect_response(&mut self, recorded: &Response<'_>) {
        let id = recorded.header.id;
        if self.ended.contains(&id) {
            // The recorded stream went on for a while after its abort.
            return;
        }
        loop {
            let body = self.wire.next_response(id.get());
            let Ok(Message::Response(sent)) = Message::decode(&body) else {
                unreachable!("it was decoded before");
            };
            assert_eq!(sent.header, recorded.header);
            if !self.aborted.contains(&id) {
                return self.check(&sent, recorded);
            }
            // Where an aborted stream ends is up to time.
            if sent.result == Ok(Data::new(EOF_PAYLOAD)) {
                self.ended.insert(id);
                return;
            }
        }
    }

    #[track_caller]
    fn check(&mut self, sent: &Response<'_>, recorded: &Response<'_>) {
        let id = sent.header.id;
        let (name, rpc) = (&self.script.name, self.rpc(id));
        let (sent, recorded) = match (&sent.result, &recorded.result) {
            (Ok(sent), Ok(recorded)) => (sent.bytes().unwrap(), recorded.bytes().unwrap()),
            (Err(sent), Err(recorded)) => {
                let [sent, recorded] = [sent, recorded].map(|error| error.to_string());
                assert!(
                    is_same_error(&sent, &recorded),
                    "{name}: {sent}, not {recorded}"
                );
                return;
            }
            (sent, recorded) => panic!("{name}: {sent:?} instead of {recorded:?}"),
        };
        match rpc.as_str() {
            "__Versioned_rpc.Menu" => assert_eq!(menu(sent), menu(recorded), "{name}"),
            "live-ticks" => self.check_live_ticks(id, sent, recorded),
            _ => assert_eq!(sent, recorded, "{name}: {rpc}"),
        }
    }

    /// What the client asked with this id.
    fn query(&self, id: QueryId) -> Query<'_> {
        let bodies = self.script.steps.iter().map(|step| step.body.as_slice());
        let mut queries = bodies.filter_map(|body| match Message::decode(body) {
            Ok(Message::Query(query)) if query.header.id == id => Some(query),
            _ => None,
        });
        queries.next().unwrap()
    }

    /// The name of the RPC that it asked.
    fn rpc(&self, id: QueryId) -> String {
        match self.query(id).header.specifier() {
            Specifier::Description(rpc) => String::from_utf8(rpc.name.to_vec()).unwrap(),
            Specifier::Rank(rank) => panic!("rank {rank} in a recording"),
        }
    }

    /// How soon a server notices the end of a stream is up to time: the recorded one did not at
    /// once, and ours may not have when the recorded one had.
    #[track_caller]
    fn check_live_ticks(&mut self, id: QueryId, sent: &[u8], recorded: &[u8]) {
        let count = |bytes: &[u8]| from_slice::<i64>(bytes).unwrap();
        let (mut sent, recorded) = (count(sent), count(recorded));
        if sent < recorded && self.ticks_ended {
            return;
        }
        while sent > recorded {
            sent = count(&self.ask_again(id));
        }
        assert_eq!(sent, recorded, "{}", self.script.name);
    }

    /// Asks once more what the client asked with this id.
    #[track_caller]
    fn ask_again(&mut self, id: QueryId) -> Vec<u8> {
        self.fresh_id += 1;
        let fresh = QueryId::new(self.fresh_id);
        let mut query = self.query(id);
        query.header.id = fresh;
        let query = to_vec(&Message::Query(query)).unwrap();
        self.wire.send(&query);
        let body = self.wire.next_response(self.fresh_id);
        match Message::decode(&body) {
            Ok(Message::Response(Response {
                result: Ok(data), ..
            })) => data.bytes().unwrap().to_vec(),
            _ => panic!("{body:02x?} is no answer"),
        }
    }
}

/// Identification and menu, in any order; digests where both sides have them.
#[track_caller]
fn check_metadata(sent: &[u8], recorded: &[u8]) {
    let [sent, recorded] = [sent, recorded].map(|body| PeerMetadata::decode(body).unwrap());
    assert_eq!(sent.identification, recorded.identification);
    let (sent, recorded) = (sent.menu.unwrap(), recorded.menu.unwrap());
    assert!(sent.descriptions().eq(recorded.descriptions()));
    for (sent, recorded) in sent.entries().iter().zip(recorded.entries()) {
        if recorded.digests != RpcDigests::Unknown {
            assert_eq!(sent, recorded);
        }
    }
}

/// The answer of the menu RPC, in any order.
fn menu(answer: &[u8]) -> BTreeSet<(ByteString, i64)> {
    let entries: Vec<_> = from_slice(answer).unwrap();
    entries.into_iter().collect()
}
