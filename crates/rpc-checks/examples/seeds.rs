//! Writes inputs for every check, made of the golden vectors and of the recordings, into a folder
//! for each: `cargo run -p rpc-checks --example seeds -- FOLDER`.

use std::collections::BTreeSet;
use std::path::Path;
use std::{env, fs, io};

use bin_prot::dynamic::Type;
use bin_prot::shape::Shape;
use bin_prot::{Sexp, to_vec};
use rpc_checks::{pieces, plan};
use rpc_testkit::golden::{Vector, of_kind};
use rpc_testkit::recording::{Data, Recording, Side};
use rpc_wire::conversation::Direction;
use rpc_wire::frame::{DEFAULT_LIMIT, Frames};

#[path = "../../bin-prot/tests/it/golden/shape.rs"]
#[expect(dead_code, reason = "vectors are checked elsewhere")]
mod shape;

/// Longer inputs slow the fuzzer down and teach it little.
const LONGEST: usize = 4096;

fn main() -> io::Result<()> {
    let Some(folder) = env::args_os().nth(1) else {
        return Err(io::Error::other("which folder?"));
    };
    let seeds = Seeds {
        folder: Path::new(&folder),
    };
    recordings(&seeds)?;
    frames(&seeds)?;
    texts_and_shapes(&seeds)?;
    values(&seeds)
}

struct Seeds<'f> {
    folder: &'f Path,
}

impl Seeds<'_> {
    /// Equal inputs have equal names, so each is there once.
    fn add(&self, check: &str, input: &[u8]) -> io::Result<()> {
        if input.len() > LONGEST {
            return Ok(());
        }
        let folder = self.folder.join(check);
        fs::create_dir_all(&folder)?;
        let name = bin_prot::shape::Digest::of(input);
        fs::write(folder.join(name.to_string()), input)
    }
}

/// Streams, their handshakes and their conversations.
fn recordings(seeds: &Seeds<'_>) -> io::Result<()> {
    for recording in Recording::load_all() {
        let mut conversation = Vec::new();
        for chunk in &recording.chunks {
            let direction = match chunk.from {
                Side::Caller => Direction::FromClient,
                Side::Callee => Direction::FromServer,
            };
            if let Data::Bytes(bytes) = &chunk.data {
                pieces::append(direction, bytes, &mut conversation);
            }
        }
        seeds.add("conversation", &conversation)?;
        for side in [Side::Caller, Side::Callee] {
            let stream = recording.stream(side);
            seeds.add("frames", &stream)?;
            let mut frames = Frames::new(&stream, DEFAULT_LIMIT);
            let _ = frames.by_ref().take(2).count();
            let handshake = stream.len() - frames.rest().len();
            seeds.add("handshake", &stream[..handshake])?;
            for body in Frames::new(&stream, DEFAULT_LIMIT).skip(1).flatten() {
                seeds.add("messages", body)?;
            }
        }
    }
    Ok(())
}

/// Messages and headers that only the vectors have.
fn frames(seeds: &Seeds<'_>) -> io::Result<()> {
    for vector in of_kind("frame") {
        seeds.add("frames", &vector.bytes)?;
        seeds.add("handshake", &vector.bytes)?;
        for body in Frames::new(&vector.bytes, DEFAULT_LIMIT).flatten() {
            seeds.add("messages", body)?;
        }
    }
    for kind in ["message", "message_error", "message_bare_unit"] {
        for vector in of_kind(kind) {
            seeds.add("messages", &vector.bytes)?;
        }
    }
    for vector in of_kind("negotiation") {
        for side in ["us", "peer"] {
            let entries = vector.value()[side].as_array().into_iter().flatten();
            let entries: Vec<_> = entries.filter_map(serde_json::Value::as_i64).collect();
            seeds.add("handshake", &to_vec(&entries).map_err(io::Error::other)?)?;
        }
    }
    Ok(())
}

/// Shapes in their three forms, which are S-expressions too.
fn texts_and_shapes(seeds: &Seeds<'_>) -> io::Result<()> {
    for vector in of_kind("digest") {
        let shape = shape::parse(vector);
        let sexp = shape.to_sexp();
        for text in [sexp.to_string(), sexp.to_string_hum()] {
            seeds.add("shapes", text.as_bytes())?;
            seeds.add("sexps", text.as_bytes())?;
        }
        let bytes = to_vec(&shape).map_err(io::Error::other)?;
        seeds.add("shapes", &bytes)?;
        seeds.add("sexps", &bytes)?;
        if let Some(plan) = plan::encode(&sexp) {
            seeds.add("shapes", &plan)?;
        }
    }
    Ok(())
}

/// Every vector of the encoding, as a value of its shape: in bytes, as S-expression and as JSON.
/// For types that are known beforehand the bytes are tried as each.
fn values(seeds: &Seeds<'_>) -> io::Result<()> {
    let mut tried = BTreeSet::new();
    let digests = of_kind("digest");
    for kind in ["bin_prot", "bin_prot_decode", "bin_prot_error"] {
        for vector in of_kind(kind) {
            let same = |digest: &&&Vector| digest.type_name == vector.type_name;
            let Some(digest) = digests.iter().find(same) else {
                continue;
            };
            let shape = shape::parse(digest);
            value(seeds, &shape, vector)?;
            if vector.bytes.len() <= 32 && tried.insert(&vector.bytes) {
                for number in 0..32 {
                    let input = [&[number], vector.bytes.as_slice()].concat();
                    seeds.add("types", &input)?;
                    seeds.add("twins", &input)?;
                }
            }
        }
    }
    Ok(())
}

fn value(seeds: &Seeds<'_>, shape: &Shape, vector: &Vector) -> io::Result<()> {
    let Some(plan) = plan::encode(&shape.to_sexp()) else {
        return Ok(());
    };
    let with = |rest: &[u8]| [plan.as_slice(), rest].concat();
    seeds.add("values", &with(&vector.bytes))?;
    let Ok(ty) = Type::new(shape) else {
        return Ok(());
    };
    let Ok(value) = ty.from_slice(&vector.bytes) else {
        return Ok(());
    };
    let sexp: Sexp = value.to_sexp();
    seeds.add("texts", &with(sexp.to_string_hum().as_bytes()))?;
    seeds.add("texts", &with(value.to_json().to_string().as_bytes()))?;
    seeds.add("texts", &with(vector.value().to_string().as_bytes()))
}
