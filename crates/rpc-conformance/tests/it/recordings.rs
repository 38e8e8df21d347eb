//! A conversation of version 11 that no recording of the repository shows passes; with a message
//! changed, added, moved or lost it fails, and the line says where.

use rpc_testkit::recording::Recording;

use crate::place::run_recordings;

/// Who sends which frame: its body in hex, or nothing at the end.
type Step = (&'static str, &'static str);

const HEADER: &str = "0cfd52504300 0102030405060708090a0b";
/// A plain RPC `oak` from int to string, a pipe RPC `pine` from int to strings.
const MENU: &str = "07 00 01 02 03 6f616b 01 04 70696e65 01 01 02 \
    00 698cfa4093fe5e51523842d37b92aeac d9a8da25d5656b016fb4dbdc2e4197fb \
    02 698cfa4093fe5e51523842d37b92aeac 86ba5df747eec837f0b391dd49f33f9e \
       d9a8da25d5656b016fb4dbdc2e4197fb d9a8da25d5656b016fb4dbdc2e4197fb";

const CONVERSATION: [Step; 21] = [
    ("caller", HEADER),
    ("callee", HEADER),
    ("callee", MENU),
    ("caller", "07 00 01 00 00"),
    ("callee", "00"),
    // 5: oak with 5.
    ("caller", "0c 01 00 01 00 01 05"),
    ("callee", "08 01 01 00 00 03 02 6f6b"),
    // 7: an RPC that is not there.
    ("caller", "0c 00 03 6e6f70 01 03 00 00"),
    ("callee", "08 03 00 01 04 03 6e6f70 f11d8694 01"),
    // 9: pine with 5; initial response, an update, abort, end.
    ("caller", "0c 01 01 02 00 06 d1f52fe2 01 05"),
    ("callee", "08 02 01 01 00 03 00 00 00"),
    ("callee", "08 02 01 01 00 08 798a0000 03 02 6869"),
    ("caller", "0c 01 01 02 00 04 21774e5c"),
    ("callee", "08 02 01 01 00 04 39796900"),
    // 14: oak with a text, which is not understood.
    ("caller", "0c 01 00 04 00 03 02 6f6b"),
    ("callee", "08 04 01 00 01 00 00 02 6e6f"),
    ("caller", "00"),
    ("caller", "0a"),
    (
        "caller",
        "0b 00 0b 556e737065636966696564 00 01 01 03 627965",
    ),
    ("caller", ""),
    ("callee", ""),
];

fn text(version: u8, steps: &[Step]) -> String {
    let mut text =
        format!("{{\"recording\": \"woods.v{version}\", \"wire_version\": {version}}}\n");
    for (index, (from, body)) in steps.iter().enumerate() {
        let start = format!("{{\"t\": 0.{index:03}, \"from\": \"{from}\"");
        if body.is_empty() {
            text.push_str(&format!("{start}, \"end\": true}}\n"));
            continue;
        }
        let body: String = body.split_whitespace().collect();
        let length = (body.len() as u64 / 2).to_le_bytes();
        let length: String = length.iter().map(|byte| format!("{byte:02x}")).collect();
        text.push_str(&format!("{start}, \"hex\": \"{length}{body}\"}}\n"));
    }
    text
}

#[track_caller]
fn check_failure(text: &str, line: &str) {
    let report = run_recordings(&[("woods.v11", text)]);
    assert_eq!(report.lines, [format!("FAIL woods.v11.jsonl: {line}")]);
}

/// The conversation after a change fails.
#[track_caller]
fn check(change: impl FnOnce(&mut Vec<Step>), line: &str) {
    let mut steps = CONVERSATION.to_vec();
    change(&mut steps);
    check_failure(&text(11, &steps), line);
}

#[test]
fn the_conversation_passes() {
    let report = run_recordings(&[("woods.v11", &text(11, &CONVERSATION))]);
    assert_eq!(report.lines, [] as [String; 0]);
    assert_eq!(report.summary.passed, 1);
}

#[test]
fn chunks_are_no_messages() {
    let whole = text(11, &CONVERSATION);
    let mut lines = whole.lines();
    let mut split = format!("{}\n", lines.next().unwrap());
    for line in lines {
        match line.find("\"hex\": \"") {
            // Behind the first byte of the frame.
            Some(at) => {
                let (start, rest) = line.split_at(at + 10);
                split.push_str(&format!("{start}\"}}\n{}\"hex\": \"{rest}\n", &line[..at]));
            }
            None => split.push_str(&format!("{line}\n")),
        }
    }
    let report = run_recordings(&[("any name", &split)]);
    assert_eq!(report.lines, [] as [String; 0]);
}

#[test]
fn the_version_is_the_negotiated_one() {
    let changed = text(10, &CONVERSATION);
    check_failure(&changed, "negotiated version: expected 10, found 11");
    check(
        |steps| steps[1].1 = "03fd52504300 0d0e",
        "callee, byte 0: expected a message that makes sense, found no common version: \
         we speak [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11], the peer [13, 14]",
    );
    check(
        |steps| steps.drain(1..19).for_each(drop),
        "negotiation: expected two headers, found fewer",
    );
    check(
        |steps| steps[0].1 = "0cfd52504300 02010304050607 08090a0b",
        "caller, byte 0: header: expected ascending versions at its end, \
         found [4411474, 2, 1, 3, 4, 5, 6, 7, 8, 9, 10, 11]",
    );
    check(
        |steps| steps[0].1 = "0cfd52504301 0102030405060708090a0b",
        "caller, byte 0: header: expected the magic number first, \
         found [21188690, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11]",
    );
}

/// Of a recording whose end is missing nobody knows what was in it.
#[test]
fn a_cut_off_recording_fails() {
    let whole = text(11, &CONVERSATION);
    let lines: Vec<_> = whole.lines().collect();
    let kept = 1..lines.len();
    let cut: Vec<_> = kept
        .map(|kept| (format!("{kept:02}"), lines[..kept].join("\n")))
        .collect();
    let named: Vec<_> = cut
        .iter()
        .map(|(name, text)| (name.as_str(), text.as_str()))
        .collect();
    let report = run_recordings(&named);
    let last = cut.len() - 1;
    for (index, ((name, _), line)) in cut.iter().zip(&report.lines).enumerate() {
        // The last line but one is the end of the caller.
        let side = if index == last { "callee" } else { "caller" };
        let missing = "expected an end, found none: the recording is cut off";
        assert_eq!(*line, format!("FAIL {name}.jsonl: {side}: {missing}"));
    }
    assert_eq!(report.summary.failed, cut.len());
    let torn = &whole[..whole.len() - 10];
    let report = run_recordings(&[("woods.v11", torn)]);
    let line = &report.lines[0];
    assert!(
        line.starts_with("FAIL woods.v11.jsonl: malformed: line 22: EOF"),
        "{line}"
    );
    check(
        |steps| steps[17].1 = "0a ff",
        "caller, byte 135: encoding at byte 1: expected 0aff (2 bytes), found 0a (1 byte)",
    );
}

#[test]
fn nothing_follows_an_end() {
    check(
        |steps| steps.swap(18, 19),
        "caller: expected an end, found more after it",
    );
    let backwards = text(11, &CONVERSATION).replace("0.007", "0.003");
    check_failure(&backwards, "malformed: time goes backwards");
}

#[test]
fn every_byte_is_decoded_and_written_again() {
    check(
        |steps| steps[6].1 = "08 01 01 00 00 fe0300 02 6f6b",
        "callee, byte 157: encoding at byte 5: expected 0801010000fe0300026f6b (11 bytes), \
         found 080101000003026f6b (9 bytes)",
    );
    check(
        |steps| steps[7].1 = "0d",
        "caller, byte 61: expected a message that makes sense, found unreadable message: \
         at byte 0: tag 13 of a type with 13 constructors",
    );
    let longer = text(11, &CONVERSATION).replace("\"0100000000000000", "\"0200000000000000");
    let report = run_recordings(&[("woods.v11", &longer)]);
    assert_eq!(report.summary.failed, 1);
}

#[test]
fn each_version_has_its_messages() {
    // Every message of the conversation, at a version that would send another.
    let at = |version: u8, body: &'static str, line: &str| {
        let header: &str = match version {
            6 => "07fd52504300 010203040506",
            8 => "09fd52504300 0102030405060708",
            10 => "0bfd52504300 0102030405060708090a",
            _ => "03fd52504300 0102",
        };
        let metadata: &[Step] = match version {
            2 => &[],
            _ => &[("caller", "07 00 01 00 00"), ("callee", "07 00 01 00 00")],
        };
        let start = [("caller", header), ("callee", header)];
        let end = [("caller", body), ("caller", ""), ("callee", "")];
        let steps = [&start[..], metadata, &end].concat();
        let report = run_recordings(&[("woods", &text(version, &steps))]);
        assert_eq!(report.lines.len(), 1, "{version}: {body}");
        let found = report.lines[0].split_once(": ").unwrap().1;
        let (_, found) = found.split_once(": ").unwrap();
        assert_eq!(found, line, "{version}: {body}");
    };
    at(
        8,
        "0c 00 03 6e6f70 01 03 00 00",
        "query: expected Query_v3, found Query_v4",
    );
    at(
        6,
        "09 03 6e6f70 01 03 00 00",
        "query: expected Query_v2, found Query_v3",
    );
    at(
        10,
        "03 03 6e6f70 01 03 00 00",
        "query: expected Query_v3, found Query_v2",
    );
    let sent = |version, name| {
        format!("message: expected one that is sent at version {version}, found {name}")
    };
    at(8, "0a", &sent(8, "Close_started"));
    at(10, "05 01 00", &sent(10, "Close_reason"));
    at(8, "06 01 00", &sent(8, "Close_reason_duplicated"));
    at(2, "05 01 00", &sent(2, "Close_reason"));
    at(
        8,
        "0b 00 0b 556e737065636966696564 00 00",
        &sent(8, "Close_reason_v2"),
    );
    // And an error that the peer would not know.
    let header = "05fd52504300 01020304";
    let steps = [
        ("caller", header),
        ("callee", header),
        ("caller", "04 00 00"),
        ("callee", "04 00 00"),
        ("caller", "03 03 6e6f70 01 03 00 00"),
        ("callee", "02 03 01 09 00 02 6e6f"),
        ("caller", ""),
        ("callee", ""),
    ];
    check_failure(
        &text(4, &steps),
        "callee, byte 29: error: expected (Unknown(Lift_error no)), found (Lift_error no)",
    );
    let mut known = steps;
    known[5].1 = "02 03 01 06 00 02 6e6f";
    let report = run_recordings(&[("woods.v4", &text(4, &known))]);
    assert_eq!(report.lines, [] as [String; 0]);
}

#[test]
fn metadata_comes_second_and_once() {
    check(
        |steps| steps.swap(2, 4),
        "callee, byte 25: expected a message that makes sense, \
         found expected connection metadata, found a heartbeat",
    );
    check(
        |steps| steps[16].1 = "07 00 01 00 00",
        "caller, byte 126: expected a message that makes sense, \
         found connection metadata after the handshake",
    );
}

#[test]
fn a_close_reason_is_the_last_word() {
    check(
        |steps| steps.swap(17, 18),
        "caller, byte 164: after the close reason (caller, byte 135): expected nothing, \
         found a close started",
    );
}

#[test]
fn responses_have_their_query() {
    check(
        |steps| steps[6].1 = "08 05 01 00 00 03 02 6f6b",
        "callee, byte 157: response with id 5: expected a query that waits for it, found none",
    );
    check(
        |steps| steps.insert(7, steps[6]),
        "callee, byte 174: response with id 1: expected a query that waits for it, found none",
    );
    check(
        |steps| steps.insert(14, steps[13]),
        "callee, byte 253: response with id 2: expected a query that waits for it, found none",
    );
    check(
        |steps| _ = steps.remove(10),
        "callee, byte 196: response with id 2: expected a payload, found no item of a stream",
    );
    check(
        |steps| steps[6].1 = "08 01 01 00 00 04 02 6f6b",
        "callee, byte 157: response with id 1: expected a payload, \
         found payload of 4 bytes, but the frame has only 3 left",
    );
}

#[test]
fn queries_are_whole_and_have_ids_of_their_own() {
    check(
        |steps| steps[5].1 = "0c 01 00 01 00 02 05",
        "caller, byte 38: query: expected a whole payload, \
         found payload of 2 bytes, but the frame has only 1 left",
    );
    check(
        |steps| steps.insert(6, steps[5]),
        "caller, byte 53: id 1: expected an unused one, \
         found that of the query at byte 38, which waits",
    );
    check(
        |steps| steps[5].1 = "0c 01 02 01 00 01 05",
        "caller, byte 38: expected a message that makes sense, \
         found query for rank 2, but the callee's menu has 2 RPCs",
    );
}

#[test]
fn aborts_end_their_stream() {
    check(
        |steps| steps[12].1 = "0c 01 01 07 00 04 21774e5c",
        "caller, byte 91: abort with id 7: expected an earlier query of a stream, found none",
    );
    check(
        |steps| steps[12].1 = "0c 00 04 70696e65 02 02 00 04 21774e5c",
        "caller, byte 91: abort with id 2: expected pine version 1, found pine version 2",
    );
}

#[test]
fn menu_indices_name_what_was_called() {
    check(
        |steps| steps[6].1 = "08 01 01 01 00 03 02 6f6b",
        "callee, byte 157: entry 1 of the menu: expected oak version 1, found pine version 1",
    );
    check(
        |steps| steps[6].1 = "08 01 01 02 00 03 02 6f6b",
        "callee, byte 157: entry 2 of the menu: expected oak version 1, found nothing",
    );
}

/// The menu tells digests, and the vectors of the repository the types that have them.
#[test]
fn payloads_have_their_types() {
    check(
        |steps| steps[5].1 = "0c 01 00 01 00 01 85",
        "caller, byte 38: payload: expected a value of its type, \
         found at byte 0: 0x85 does not begin an int",
    );
    check(
        |steps| steps[6].1 = "08 01 01 00 00 03 01 6f6b",
        "callee, byte 157: payload: expected a value of its type, found at byte 2: 1 bytes left over",
    );
    check(
        |steps| steps[10].1 = "08 02 01 01 00 03 00 00 01",
        "callee, byte 196: payload: expected a value of its type, \
         found at byte 0: unit is 00, found 0x01",
    );
    check(
        |steps| steps[11].1 = "08 02 01 01 00 08 798a0000 03 03 6869",
        "callee, byte 213: payload: expected a value of its type, \
         found at byte 1: 3 bytes expected, 2 left",
    );
    check(
        |steps| steps[9].1 = "0c 01 01 02 00 08 d1f52fe2 03 fe0500",
        "caller, byte 71: payload at byte 0: expected fe0500 (3 bytes), found 05 (1 byte)",
    );
    // A value in answer to what is none.
    check(
        |steps| steps[15].1 = "08 04 01 00 00 03 02 6e6f",
        "caller, byte 109: payload: expected a value of its type, found at byte 1: 2 bytes left over",
    );
}

/// A quarter of the bits of a recording are those of names, digests and texts, any of which may
/// be. Most others are noticed; none panics.
#[test]
fn most_flipped_bits_fail() {
    let recording = Recording::load("count.v6");
    let path = rpc_testkit::recording::default_recordings().join("count.v6.jsonl");
    let whole = std::fs::read_to_string(path).unwrap();
    let mut texts = Vec::new();
    for (at, digit) in whole.char_indices() {
        let is_hex = whole[..at].rfind("\"hex\": \"").is_some_and(|start| {
            let between = &whole[start + 8..at];
            between.bytes().all(|byte| byte.is_ascii_hexdigit())
        });
        if let (true, Some(value)) = (is_hex, digit.to_digit(16)) {
            let mut damaged = whole.clone();
            let flipped = char::from_digit(value ^ 4, 16).unwrap();
            damaged.replace_range(at..=at, &flipped.to_string());
            texts.push((format!("count-{at}.v6"), damaged));
        }
    }
    let sides = [
        rpc_testkit::recording::Side::Caller,
        rpc_testkit::recording::Side::Callee,
    ];
    let bytes: usize = sides.iter().map(|side| recording.stream(*side).len()).sum();
    assert_eq!(texts.len(), 2 * bytes);
    let named: Vec<_> = texts
        .iter()
        .map(|(name, text)| (name.as_str(), text.as_str()))
        .collect();
    let report = run_recordings(&named);
    println!("{} of {} flips", report.summary.failed, texts.len());
    assert!(
        report.summary.failed * 2 > texts.len(),
        "{}",
        report.summary
    );
}
