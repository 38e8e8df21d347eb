//! Our client against recorded servers: each case asks exactly what the recorded client asked,
//! and passes.

use std::collections::BTreeMap;
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::Duration;

use bin_prot::to_vec;
use rpc_testkit::recording::{BEYOND_THE_SUITE, Side};
use rpc_wire::handshake::PeerMetadata;
use rpc_wire::{Message, QueryId, Response, ResponseForm, ResponseHeader};

use super::script::{Kind, Script, Step};
use super::wire::Wire;
use crate::process::Process;

/// Only a broken program takes that long.
const PATIENCE: Duration = Duration::from_secs(30);

/// Runs at a time.
const AT_ONCE: usize = 4;

/// Recordings of other names than the case of ours that they are of.
const OTHER_NAMES: &[(&str, &str)] = &[
    ("menu-digests", "menu"),
    ("handshake-mixed", "handshake"),
    ("handshake-digests-server-only", "handshake"),
    ("ident-digests", "handshake"),
];

fn case_of(recorded: &str) -> &str {
    let renamed = OTHER_NAMES.iter().find(|(name, _)| *name == recorded);
    renamed.map_or(recorded, |(_, case)| case)
}

#[test]
fn our_client_passes_against_recorded_servers() {
    let is_of_the_suite = |case: &str| !BEYOND_THE_SUITE.contains(&case);
    let scripts = Script::all(|recording| is_of_the_suite(&recording.case));
    assert!(scripts.len() > 100, "{}", scripts.len());
    for some in scripts.chunks(AT_ONCE) {
        thread::scope(|scope| {
            for script in some {
                scope.spawn(|| {
                    let (line, played) = run(script);
                    let name = &script.name;
                    assert_eq!(played, Ok(()), "{name}");
                    assert_eq!(line, format!("ok {}", case_of(&script.case)), "{name}");
                });
            }
        });
    }
}

/// One wrong byte in what the server answers, and the case says so.
#[test]
fn our_client_fails_against_a_recorded_server_that_was_tampered_with() {
    for (name, byte) in [("echo-small.v4", b'h'), ("count.v6", 7), ("zoo.v3", 0x4d)] {
        let mut script = Script::all(|recording| recording.name == name).remove(0);
        let answers = |step: &&mut Step| step.from == Side::Callee && step.kind == Kind::Message;
        let mut answers = script.steps.iter_mut().filter(answers);
        let place = answers.find_map(|step| step.body.iter_mut().rev().find(|b| **b == byte));
        *place.unwrap() += 1;
        let (line, _) = run(&script);
        assert!(
            line.starts_with(&format!("FAIL {}: ", script.case)),
            "{line}"
        );
    }
}

/// Runs the script's case; returns what the client says of it, and whether it followed the
/// script.
fn run(script: &Script) -> (String, Result<(), String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let accepted = accepting(listener);
    let wire = format!("1-{}", script.highest(Side::Caller));
    let case = case_of(&script.case);
    let options = [
        "--only",
        case,
        "--wire",
        &wire,
        "--identification",
        "oracle-client",
    ];
    let arguments = [&["interop", "client", &address], &options[..]].concat();
    let mut client = Process::start(&arguments);
    let played = thread::scope(|scope| {
        let next = || {
            accepted
                .recv_timeout(PATIENCE)
                .map_err(|error| error.to_string())
        };
        let first = Wire::new(next()?);
        let first = scope.spawn(|| play(first, script));
        let second = match (&script.second, case) {
            (Some(second), _) => play(Wire::new(next()?), second),
            // The case ends its connection, and tries another one.
            (None, "oneway-boom") => echo(Wire::new(next()?), script),
            (None, _) => Ok(()),
        };
        first.join().unwrap().and(second)
    });
    (client.next_line(), played)
}

fn accepting(listener: TcpListener) -> Receiver<TcpStream> {
    let (send, accepted) = channel();
    thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            if send.send(stream).is_err() {
                break;
            }
        }
    });
    accepted
}

/// Sends what the callee sent, when the client has sent what the caller had sent by then.
fn play(mut wire: Wire, script: &Script) -> Result<(), String> {
    let mut ids = BTreeMap::new();
    for Step { from, kind, body } in &script.steps {
        match (from, kind) {
            (Side::Callee, Kind::Message) => wire.send(&with_our_id(body, &ids)),
            (Side::Callee, _) => wire.send(body),
            (Side::Caller, kind) => {
                let sent = wire.next().ok_or("the client ended the stream")?;
                match kind {
                    Kind::Header => equal(&sent, body)?,
                    Kind::Metadata => equal(told(&sent), told(body))?,
                    Kind::Message => check(&sent, body, &mut ids)?,
                }
            }
        }
    }
    if script.ended_by == Side::Callee {
        wire.end();
    }
    equal(wire.rest(), vec![])
}

fn equal<T: PartialEq + std::fmt::Debug>(sent: T, recorded: T) -> Result<(), String> {
    match sent == recorded {
        true => Ok(()),
        false => Err(format!("{sent:02x?} instead of {recorded:02x?}")),
    }
}

/// What a client tells of itself, digests apart.
fn told(metadata: &[u8]) -> impl PartialEq + std::fmt::Debug {
    let told = PeerMetadata::decode(metadata).unwrap();
    let menu = told.menu.unwrap();
    let menu: Vec<_> = menu.descriptions().cloned().collect();
    (told.identification, menu)
}

/// The client asks what was asked. Ids may differ: the recorded ones were drawn from one counter
/// for all connections.
fn check(sent: &[u8], recorded: &[u8], ids: &mut BTreeMap<QueryId, QueryId>) -> Result<(), String> {
    let messages = (Message::decode(sent), Message::decode(recorded));
    let (Ok(Message::Query(sent)), Ok(Message::Query(recorded))) = messages else {
        return equal(sent, recorded);
    };
    equal(sent.header.envelope, recorded.header.envelope)?;
    equal(sent.data, recorded.data)?;
    // An abort has the id of the stream.
    let id = *ids.entry(recorded.header.id).or_insert(sent.header.id);
    equal(sent.header.id, id)
}

/// The response, to the client's query.
fn with_our_id(body: &[u8], ids: &BTreeMap<QueryId, QueryId>) -> Vec<u8> {
    match Message::decode(body).unwrap() {
        Message::Response(mut response) => {
            response.header.id = ids[&response.header.id];
            to_vec(&Message::Response(response)).unwrap()
        }
        _ => body.to_vec(),
    }
}

/// A connection that was not recorded: the same handshake, and each query sent back.
fn echo(mut wire: Wire, script: &Script) -> Result<(), String> {
    let of_callee = script.steps.iter().filter(|step| step.from == Side::Callee);
    for step in of_callee.filter(|step| step.kind != Kind::Message) {
        wire.send(&step.body);
        wire.next().ok_or("the client ended the stream")?;
    }
    while let Some(body) = wire.next() {
        if let Ok(Message::Query(query)) = Message::decode(&body) {
            let header = ResponseHeader {
                form: ResponseForm::V1,
                id: query.header.id,
            };
            let result = Ok(query.data);
            wire.send(&to_vec(&Message::Response(Response { header, result })).unwrap());
        }
    }
    Ok(())
}
