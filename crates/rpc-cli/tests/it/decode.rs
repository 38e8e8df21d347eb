//! `rpc decode`, as a process that reads files.

mod values;

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};

use etherparse::PacketBuilder;
use serde_json::Value;

/// What the command printed, and whether it was content.
struct Decoded {
    is_success: bool,
    status: Option<i32>,
    stdout: String,
    stderr: String,
}

#[track_caller]
fn decode(args: &[&str]) -> Decoded {
    let output = Command::new(env!("CARGO_BIN_EXE_rpc"))
        .arg("decode")
        .args(args)
        .output();
    let Output {
        status,
        stdout,
        stderr,
    } = output.unwrap();
    Decoded {
        is_success: status.success(),
        status: status.code(),
        stdout: String::from_utf8(stdout).unwrap(),
        stderr: String::from_utf8(stderr).unwrap(),
    }
}

impl Decoded {
    #[track_caller]
    fn succeeded(self) -> String {
        assert!(self.is_success, "{}{}", self.stdout, self.stderr);
        assert_eq!(self.stderr, "");
        self.stdout
    }

    /// The objects that `--json` printed.
    #[track_caller]
    fn objects(self) -> Vec<Value> {
        let object = |line: &str| serde_json::from_str(line).unwrap();
        self.succeeded().lines().map(object).collect()
    }

    #[track_caller]
    fn failed_with(self, text: &str) -> String {
        assert!(!self.is_success, "{}", self.stdout);
        assert!(
            self.stderr.contains(text),
            "{text:?} is not in {:?}",
            self.stderr
        );
        self.stdout
    }
}

fn recordings() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../conformance/recordings")
}

fn recording(name: &str) -> String {
    recordings()
        .join(format!("{name}.jsonl"))
        .to_str()
        .unwrap()
        .to_owned()
}

/// Bytes of a recording, in order: whether the caller sent them, and what.
fn chunks(name: &str) -> Vec<(bool, Vec<u8>)> {
    let text = fs::read_to_string(recording(name)).unwrap();
    let lines = text
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap());
    lines
        .filter_map(|line| {
            let digits = line["hex"].as_str()?.to_owned();
            let byte = |at: usize| u8::from_str_radix(&digits[at..at + 2], 16).unwrap();
            let bytes = (0..digits.len()).step_by(2).map(byte).collect();
            Some((line["from"] == "caller", bytes))
        })
        .collect()
}

fn stream(name: &str, of_caller: bool) -> Vec<u8> {
    let mine = chunks(name)
        .into_iter()
        .filter(|(caller, _)| *caller == of_caller);
    mine.flat_map(|(_, bytes)| bytes).collect()
}

/// A file that is deleted when dropped.
struct Temporary(PathBuf);

impl Temporary {
    fn new(bytes: &[u8]) -> Self {
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("rpc-decode-{}-{number}", std::process::id());
        let path = std::env::temp_dir().join(name);
        fs::write(&path, bytes).unwrap();
        Self(path)
    }

    fn path(&self) -> &str {
        self.0.to_str().unwrap()
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        let _gone = fs::remove_file(&self.0);
    }
}

#[test]
fn every_recording_is_printed_wholly() {
    let mut names: Vec<_> = fs::read_dir(recordings())
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| {
            path.extension()
                .is_some_and(|extension| extension == "jsonl")
        })
        .collect();
    names.sort();
    assert!(names.len() >= 167, "{} recordings", names.len());
    let (mut messages, mut responses) = (0, 0);
    for path in names {
        let name = path.file_stem().unwrap().to_str().unwrap();
        let objects = decode(&[path.to_str().unwrap(), "--json"]).objects();
        for (from, of_caller) in [("client", true), ("server", false)] {
            let of_side = objects.iter().filter(|object| object["from"] == from);
            let bytes: u64 = of_side
                .map(|object| object["frame_bytes"].as_u64().unwrap())
                .sum();
            assert_eq!(bytes, stream(name, of_caller).len() as u64, "{name}");
        }
        messages += objects.len();
        let answers = objects.iter().filter(|object| object["kind"] == "response");
        responses += answers
            .inspect(|answer| assert!(answer["name"].is_string(), "{name}: {answer}"))
            .count();
    }
    assert!(
        messages >= 1801 && responses >= 394,
        "{messages} and {responses}"
    );
}

#[test]
fn lines_are_for_people() {
    let lines = decode(&[&recording("count.v6")]).succeeded();
    let has = |parts: &[&str]| {
        let line = lines
            .lines()
            .find(|line| parts.iter().all(|part| line.contains(part)));
        assert!(line.is_some(), "{parts:?} in\n{lines}");
    };
    has(&["-> @0", "header", "versions 1 2 3 4 5 6"]);
    has(&["negotiated", "version 6"]);
    has(&["<- @", "metadata", "\"oracle-server\"", "menu of"]);
    has(&["->", "stream query", "count v1  id"]);
    has(&["<-", "initial", "count v1  id"]);
    has(&["<-", "update", "count v1  id", "number 1", "payload"]);
    has(&["<-", "end", "count v1  id"]);
}

#[test]
fn payloads_are_printed_on_demand() {
    let objects = decode(&[&recording("echo-small.v6"), "--json", "--payload", "hex"]).objects();
    let of_kind = |kind: &str| {
        let object = objects
            .iter()
            .find(|object| object["kind"] == kind && object["id"].is_i64());
        object
            .unwrap_or_else(|| panic!("{kind} in {objects:?}"))
            .clone()
    };
    let (query, response) = (of_kind("query"), of_kind("response"));
    assert_eq!(query["name"], "echo-string");
    assert_eq!(query["form"], "plain");
    assert_eq!(response["item"], "answer");
    assert_eq!(response["query_offset"], query["offset"]);
    let digits = query["payload"].as_str().unwrap();
    assert_eq!(
        digits.len() as u64,
        2 * query["payload_bytes"].as_u64().unwrap()
    );
    let lines = decode(&[&recording("echo-small.v6"), "--payload", "hex"]).succeeded();
    assert!(lines.contains(digits), "{lines}");
}

#[test]
fn raw_bytes_of_both_directions() {
    let client = Temporary::new(&stream("state.v4", true));
    let server = Temporary::new(&stream("state.v4", false));
    let objects = decode(&[client.path(), server.path(), "--json"]).objects();
    let mut expected = decode(&[&recording("state.v4"), "--json"]).objects();
    for object in &mut expected {
        object.as_object_mut().unwrap().remove("time");
    }
    for from in ["client", "server"] {
        let of = |objects: &[Value]| -> Vec<Value> {
            let mine = |object: &&Value| object["from"] == from && object["kind"] != "negotiated";
            objects.iter().filter(mine).cloned().collect()
        };
        assert_eq!(of(&objects), of(&expected));
    }
}

#[test]
fn raw_bytes_of_one_direction() {
    let server = Temporary::new(&stream("echo-small.v6", false));
    let lines = decode(&[server.path()]).succeeded();
    assert!(lines.contains("response      (query not seen)"), "{lines}");
}

/// A capture that goes on: what has come is printed, whatever is to follow.
#[test]
fn standard_input_is_decoded_while_it_comes() {
    let capture = two_connections().bytes;
    for format in [None, Some("pcap")] {
        let mut rpc = Command::new(env!("CARGO_BIN_EXE_rpc"));
        rpc.args(["decode", "-"]);
        rpc.args(format.iter().flat_map(|format| ["--format", format]));
        let mut rpc = rpc
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut stdin = rpc.stdin.take().unwrap();
        let mut lines = BufReader::new(rpc.stdout.take().unwrap()).lines();
        // Not even a file's header is there at first.
        let (start, rest) = capture.split_at(20);
        let (middle, end) = rest.split_at(3000);
        stdin.write_all(start).unwrap();
        stdin.flush().unwrap();
        stdin.write_all(middle).unwrap();
        stdin.flush().unwrap();
        let header = lines.find(|line| line.as_ref().unwrap().contains("header"));
        assert!(header.is_some());
        stdin.write_all(end).unwrap();
        drop(stdin);
        assert!(lines.count() > 10);
        assert!(rpc.wait().unwrap().success());
    }
}

#[test]
fn garbage_is_refused_with_its_place() {
    let http = Temporary::new(b"HTTP/1.1 400 Bad Request\r\n\r\n");
    let stdout = decode(&[http.path()]).failed_with("they look like HTTP");
    assert_eq!(stdout, "");

    let mut bytes = stream("echo-small.v6", true);
    let whole = decode(&[Temporary::new(&bytes).path()]).succeeded();
    bytes.extend([2, 0, 0, 0, 0, 0, 0, 0, 0x0d, 0]);
    let begins = bytes.len() - 10;
    let text = format!(
        "from the client, byte {} (frame at byte {begins}): unreadable message: tag 13 of a type \
         with 13 constructors\n",
        begins + 8
    );
    let stdout = decode(&[Temporary::new(&bytes).path()]).failed_with(&text);
    assert_eq!(stdout, whole, "what came before is printed");

    let cut = Temporary::new(&bytes[..bytes.len() - 5]);
    decode(&[cut.path()]).failed_with("the bytes end 5 bytes into a frame");
    let large = decode(&[&recording("count.v6"), "--limit", "20"]);
    large.failed_with("allowed are 0 to 20");
    decode(&[Temporary::new(b"").path()]).failed_with("is empty");
    decode(&["/no/such/file"]).failed_with("cannot read /no/such/file");
    let bad = Temporary::new(b"{\"recording\": \"x\"}\n{\"from\": \"middle\"}\n");
    decode(&[bad.path()]).failed_with(":2: \"from\" has to be");
    decode(&[http.path(), "--format", "pcap"]).failed_with("no pcap or pcapng file");
    decode(&[http.path(), "--port", "1"]).failed_with("--port is for pcap files");
    decode(&[http.path(), http.path()]).failed_with("two files");
}

#[test]
fn text_of_a_peer_cannot_act_on_the_terminal() {
    let header = [7, 0, 0, 0, 0, 0, 0, 0, 2, 0xfd, b'R', b'P', b'C', 0, 1];
    let name = b"\x1b[2Jgone\n";
    let body = [&[1, 9], &name[..], &[1, 1, 0]].concat();
    let length = [u8::try_from(body.len()).unwrap(), 0, 0, 0, 0, 0, 0, 0];
    let capture = Temporary::new(&[&header[..], &length, &body].concat());
    for form in [&[capture.path()][..], &[capture.path(), "--json"]] {
        let stdout = decode(form).succeeded();
        assert!(
            !stdout.contains('\x1b') && stdout.lines().count() == 2,
            "{stdout:?}"
        );
        assert!(stdout.contains("u{1b}[2Jgone"), "{stdout}");
    }
}

const SERVER: ([u8; 4], u16) = ([10, 0, 0, 2], 8080);

/// Writes a pcap file, packet by packet.
struct Capture {
    bytes: Vec<u8>,
    packets: u32,
}

/// One TCP connection in a [`Capture`].
struct Peer {
    port: u16,
    sequences: [u32; 2],
}

impl Capture {
    fn new() -> Self {
        let mut bytes = vec![0xd4, 0xc3, 0xb2, 0xa1, 2, 0, 4, 0];
        bytes.extend([0; 8]);
        bytes.extend(262_144_u32.to_le_bytes());
        bytes.extend(1_u32.to_le_bytes());
        Self { bytes, packets: 0 }
    }

    fn packet(&mut self, packet: &[u8]) {
        let length = u32::try_from(packet.len()).unwrap();
        // A millisecond for each.
        for word in [1_000_000, self.packets * 1000, length, length] {
            self.bytes.extend(word.to_le_bytes());
        }
        self.bytes.extend(packet);
        self.packets += 1;
    }
}

impl Peer {
    /// A client's port; both sequence numbers are about to wrap.
    fn connect(port: u16, capture: &mut Capture) -> Self {
        let mut peer = Self {
            port,
            sequences: [u32::MAX - 20, u32::MAX - 5],
        };
        for (from_client, flag) in [(true, "syn"), (false, "syn ack")] {
            capture.packet(&peer.segment(from_client, flag, &[]));
            peer.sequences[usize::from(!from_client)] = peer.sequence(from_client).wrapping_add(1);
        }
        peer
    }

    fn sequence(&self, from_client: bool) -> u32 {
        self.sequences[usize::from(!from_client)]
    }

    fn segment(&self, from_client: bool, flags: &str, payload: &[u8]) -> Vec<u8> {
        let client = ([10, 0, 0, 1], self.port);
        let (source, destination) = match from_client {
            true => (client, SERVER),
            false => (SERVER, client),
        };
        let sequence = self.sequence(from_client);
        let mut builder = PacketBuilder::ethernet2([1; 6], [2; 6])
            .ipv4(source.0, destination.0, 64)
            .tcp(source.1, destination.1, sequence, 1000);
        if flags.contains("syn") {
            builder = builder.syn();
        }
        if flags.contains("fin") {
            builder = builder.fin();
        }
        if flags.contains("ack") {
            builder = builder.ack(1);
        }
        let mut packet = Vec::new();
        builder.write(&mut packet, payload).unwrap();
        packet
    }

    /// The segments of some bytes, 100 at a time.
    fn send(&mut self, from_client: bool, bytes: &[u8]) -> Vec<Vec<u8>> {
        let mut packets = Vec::new();
        for piece in bytes.chunks(100) {
            packets.push(self.segment(from_client, "ack", piece));
            let sequence = &mut self.sequences[usize::from(!from_client)];
            *sequence = sequence.wrapping_add(u32::try_from(piece.len()).unwrap());
        }
        packets
    }

    fn close(&self, capture: &mut Capture) {
        for from_client in [true, false] {
            capture.packet(&self.segment(from_client, "fin ack", &[]));
        }
    }
}

/// Two connections at once: one in order, one with segments late and twice.
fn two_connections() -> Capture {
    let mut capture = Capture::new();
    let mut first = Peer::connect(40_001, &mut capture);
    let mut second = Peer::connect(40_002, &mut capture);
    for (from_client, bytes) in chunks("menu-large.v6") {
        for packet in first.send(from_client, &bytes) {
            capture.packet(&packet);
        }
        let mut packets = second.send(from_client, &bytes);
        packets.reverse();
        for packet in packets.iter().chain(&packets) {
            capture.packet(packet);
        }
    }
    first.close(&mut capture);
    second.close(&mut capture);
    capture
}

#[test]
fn packets_are_put_together() {
    let file = Temporary::new(&two_connections().bytes);
    let objects = decode(&[file.path(), "--json"]).objects();
    let strip = |object: &Value| {
        let mut object = object.clone();
        for key in ["connection", "client", "server", "time"] {
            object.as_object_mut().unwrap().remove(key);
        }
        object
    };
    let expected = decode(&[&recording("menu-large.v6"), "--json"]).objects();
    let expected: Vec<_> = expected.iter().map(strip).collect();
    for number in [1, 2] {
        let of_one = objects
            .iter()
            .filter(|object| object["connection"] == number);
        let of_one: Vec<_> = of_one.map(strip).collect();
        assert_eq!(of_one, expected, "connection {number}");
    }
    let address = Ipv4Addr::from(SERVER.0);
    assert_eq!(objects[0]["server"], format!("{address}:{}", SERVER.1));
    assert!(objects[0]["time"].as_f64().unwrap() < 0.1);

    let lines = decode(&[file.path(), "--port", "40002"]).succeeded();
    assert!(
        lines.starts_with("connection 1: 10.0.0.1:40002 -> 10.0.0.2:8080\n"),
        "{lines}"
    );
    assert_eq!(lines.lines().count(), 1 + expected.len());
    decode(&[file.path(), "--port", "1"]).failed_with("no TCP connection from its beginning on");
}

#[test]
fn one_bad_connection_does_not_hide_the_others() {
    let mut capture = Capture::new();
    let mut http = Peer::connect(40_001, &mut capture);
    let mut hole = Peer::connect(40_002, &mut capture);
    let mut good = Peer::connect(40_003, &mut capture);
    for packet in http.send(true, b"GET / HTTP/1.1\r\n\r\n") {
        capture.packet(&packet);
    }
    let packets = hole.send(false, &stream("menu-large.v6", false));
    for packet in &packets[1..] {
        capture.packet(packet);
    }
    for (from_client, bytes) in chunks("menu-large.v6") {
        for packet in good.send(from_client, &bytes) {
            capture.packet(&packet);
        }
    }
    let file = Temporary::new(&capture.bytes);
    let decoded = decode(&[file.path(), "--json"]);
    for text in [
        "connection 1: from the client, byte 0 (frame at byte 0): the first bytes are no Async_rpc \
         header, they look like HTTP",
        "connection 2: from the server, byte 0: 100 bytes were not captured",
    ] {
        assert!(decoded.stderr.contains(text), "{}", decoded.stderr);
    }
    let stdout = decoded.failed_with("2 of 3 connections make no sense");
    let whole = decode(&[&recording("menu-large.v6"), "--json"]).objects();
    assert_eq!(stdout.lines().count(), whole.len());
}

#[test]
fn connection_without_its_beginning_is_left_out() {
    let mut late = Capture::new();
    let mut peer = Peer::connect(40_001, &mut Capture::new());
    for packet in peer.send(true, b"something") {
        late.packet(&packet);
    }
    let file = Temporary::new(&late.bytes);
    let decoded = decode(&[file.path()]);
    assert!(
        decoded.stderr.contains("1 connections left out"),
        "{}",
        decoded.stderr
    );
    decoded.failed_with("no TCP connection from its beginning on");
}

/// A pcapng file as Wireshark writes it: section, interface, packets.
#[test]
fn newer_format_is_read_too() {
    let mut bytes = Vec::new();
    let mut block = |kind: u32, body: &[u8]| {
        let padding = vec![0; body.len().next_multiple_of(4) - body.len()];
        let length = u32::try_from(12 + body.len() + padding.len()).unwrap();
        bytes.extend(kind.to_le_bytes());
        bytes.extend(length.to_le_bytes());
        bytes.extend(body);
        bytes.extend(padding);
        bytes.extend(length.to_le_bytes());
    };
    let mut section = vec![0x4d, 0x3c, 0x2b, 0x1a, 1, 0, 0, 0];
    section.extend([0xff; 8]);
    block(0x0a0d_0d0a, &section);
    block(1, &[1, 0, 0, 0, 0, 0, 4, 0]);
    let older = two_connections().bytes;
    let mut rest = &older[24..];
    let mut micros = 0_u32;
    while let Some((header, after)) = rest.split_first_chunk::<16>() {
        let length = u32::from_le_bytes(header[8..12].try_into().unwrap());
        let (packet, after) = after.split_at(usize::try_from(length).unwrap());
        rest = after;
        micros += 1000;
        let words = [0, 0, micros, length, length];
        let mut body: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
        body.extend(packet);
        block(6, &body);
    }
    let lines = |bytes: &[u8]| {
        let stdout = decode(&[Temporary::new(bytes).path(), "--json"]).succeeded();
        stdout.lines().count()
    };
    assert_eq!(lines(&bytes), lines(&older));
    let cut = Temporary::new(&bytes[..bytes.len() - 3]);
    decode(&[cut.path()]).failed_with("the file ends in the middle of a packet");
}
