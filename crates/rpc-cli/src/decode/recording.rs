//! Recordings: lines of JSON that say who sent which bytes, and when.
//!
//! ```text
//! {"recording": "echo-small.v6", "wire_version": 6}
//! {"t": 0.0004, "from": "caller", "hex": "0c00..."}
//! {"t": 0.0073, "from": "callee", "end": true}
//! ```
//!
//! The caller is shown as the client.

use std::io::{BufRead, BufReader, Write};

use anyhow::{Context, anyhow, bail};
use rpc_wire::conversation::Direction;
use serde_json::Value;

use super::connections::Connections;
use super::input::Input;

/// Decodes a recording.
pub(crate) fn decode(
    input: Input,
    connections: &mut Connections<impl Write>,
) -> anyhow::Result<()> {
    let name = input.name().to_owned();
    connections.open(0, None)?;
    for (index, line) in BufReader::new(input).lines().enumerate() {
        let number = index + 1;
        let line = line.with_context(|| format!("cannot read {name}"))?;
        let chunk = Chunk::parse(&line, index == 0).with_context(|| format!("{name}:{number}"))?;
        let outcome = match chunk {
            None => Ok(()),
            Some(Chunk { at, from, bytes }) if bytes.is_empty() => connections.end(0, from, at),
            Some(Chunk { at, from, bytes }) => connections.feed(0, from, &bytes, at),
        };
        outcome.with_context(|| format!("{name}:{number}"))?;
    }
    for from in Direction::BOTH {
        connections
            .end(0, from, None)
            .with_context(|| name.clone())?;
    }
    Ok(())
}

/// A line: bytes, or none at the end of a direction.
struct Chunk {
    at: Option<f64>,
    from: Direction,
    bytes: Vec<u8>,
}

impl Chunk {
    /// `None` for the line that only names the recording.
    fn parse(line: &str, is_first: bool) -> anyhow::Result<Option<Self>> {
        let value: Value = serde_json::from_str(line).context("no JSON")?;
        if is_first && value.get("recording").is_some() {
            return Ok(None);
        }
        let from = match value.get("from").and_then(Value::as_str) {
            Some("caller") => Direction::FromClient,
            Some("callee") => Direction::FromServer,
            _ => bail!("\"from\" has to be \"caller\" or \"callee\""),
        };
        let bytes = match (value.get("hex").and_then(Value::as_str), value.get("end")) {
            (Some(digits), None) => match unhex(digits) {
                Some(bytes) if !bytes.is_empty() => bytes,
                _ => bail!("\"hex\" has to hold pairs of hex digits"),
            },
            (None, Some(Value::Bool(true))) => Vec::new(),
            _ => return Err(anyhow!("either \"hex\" or \"end\" is needed")),
        };
        let at = value.get("t").and_then(Value::as_f64);
        Ok(Some(Self { at, from, bytes }))
    }
}

fn unhex(digits: &str) -> Option<Vec<u8>> {
    let (pairs, []) = digits.as_bytes().as_chunks::<2>() else {
        return None;
    };
    let digit = |digit: u8| char::from(digit).to_digit(16);
    let byte = |[high, low]: &[u8; 2]| u8::try_from(digit(*high)? << 4 | digit(*low)?).ok();
    pairs.iter().map(byte).collect()
}
