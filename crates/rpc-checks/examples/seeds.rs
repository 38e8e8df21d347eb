//! Writes inputs for every check, made of the golden vectors and of the recordings, into a folder
//! for each: `cargo run -p rpc-checks --example seeds -- FOLDER`.

use std::collections::BTreeSet;
use std::path::Path;
use std::{env, fs, io};

use bin_prot::dynamic::Type;
use bin_prot::shape::Shape;
use bin_prot::{Sexp, to_vec};
use rpc_checks::{pieces, plan};
use rpc_testkit::golden::{Malformed, Vector, of_kind};
use rpc_testkit::recording::{Data, Recording, Side};
use rpc_wire::conversation::Direction;
use rpc_wire::frame::{DEFAULT_LIMIT, Frames};
use serde_json::Value as Json;

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
        let bytes = vector.bytes().map_err(io::Error::other)?;
        seeds.add("frames", &bytes)?;
        seeds.add("handshake", &bytes)?;
        for body in Frames::new(&bytes, DEFAULT_LIMIT).flatten() {
            seeds.add("messages", body)?;
        }
    }
    for kind in ["message", "message_error", "message_bare_unit"] {
        for vector in of_kind(kind) {
            let bytes = vector.bytes().map_err(io::Error::other)?;
            seeds.add("messages", &bytes)?;
        }
    }
    for vector in of_kind("negotiation") {
        let value = vector.value().map_err(io::Error::other)?;
        for side in ["us", "peer"] {
            let entries = value[side].as_array().into_iter().flatten();
            let entries: Vec<_> = entries.filter_map(Json::as_i64).collect();
            seeds.add("handshake", &to_vec(&entries).map_err(io::Error::other)?)?;
        }
    }
    Ok(())
}

/// Shapes in their three forms, which are S-expressions too.
fn texts_and_shapes(seeds: &Seeds<'_>) -> io::Result<()> {
    for vector in of_kind("digest") {
        let sexp = shape_of(vector)?;
        for text in [sexp.to_string(), sexp.to_string_hum()] {
            seeds.add("shapes", text.as_bytes())?;
            seeds.add("sexps", text.as_bytes())?;
        }
        let bytes = to_vec(&sexp).map_err(io::Error::other)?;
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
            let bytes = vector.bytes().map_err(io::Error::other)?;
            value(seeds, &shape_of(digest)?, &bytes, vector)?;
            if bytes.len() > 32 || !tried.insert(bytes.clone()) {
                continue;
            }
            for number in 0..32 {
                let input = [&[number], bytes.as_slice()].concat();
                seeds.add("types", &input)?;
                seeds.add("twins", &input)?;
            }
        }
    }
    Ok(())
}

fn value(seeds: &Seeds<'_>, shape: &Sexp, bytes: &[u8], vector: &Vector) -> io::Result<()> {
    let Some(plan) = plan::encode(shape) else {
        return Ok(());
    };
    let with = |rest: &[u8]| [plan.as_slice(), rest].concat();
    seeds.add("values", &with(bytes))?;
    let shape = Shape::from_sexp(shape).map_err(io::Error::other)?;
    let Ok(ty) = Type::new(&shape) else {
        return Ok(());
    };
    let Ok(value) = ty.from_slice(bytes) else {
        return Ok(());
    };
    let sexp = value.to_sexp().to_string_hum();
    seeds.add("texts", &with(sexp.as_bytes()))?;
    seeds.add("texts", &with(value.to_json().to_string().as_bytes()))?;
    match vector.value() {
        Ok(json) => seeds.add("texts", &with(json.to_string().as_bytes())),
        Err(_) => Ok(()),
    }
}

/// The shape of a `digest` vector as an S-expression, in which uses of a group carry its
/// definitions.
fn shape_of(vector: &Vector) -> io::Result<Sexp> {
    let groups = vector.fields.get("groups").unwrap_or(&Json::Null);
    let shape = vector
        .field("shape")
        .ok()
        .and_then(|json| shape(json, groups));
    let malformed = || Malformed {
        entry: vector.name.clone(),
        problem: "a shape of an unknown kind".into(),
    };
    shape.ok_or_else(|| io::Error::other(malformed()))
}

fn shape(json: &Json, groups: &Json) -> Option<Sexp> {
    let atom = |json: &Json| json.as_str().map(Sexp::atom);
    let tagged =
        |tag: &str, parts: Vec<Sexp>| Sexp::list([Sexp::atom(tag)].into_iter().chain(parts));
    let all = |json: &Json| {
        let parts = json.as_array().into_iter().flatten();
        parts
            .map(|part| shape(part, groups))
            .collect::<Option<_>>()
            .map(Sexp::List)
    };
    let named = |json: &Json, content: &dyn Fn(&Json) -> Option<Sexp>| {
        let pairs = json.as_array()?.iter();
        let pairs = pairs.map(|pair| Some(Sexp::list([atom(&pair[0])?, content(&pair[1])?])));
        pairs.collect::<Option<_>>().map(Sexp::List)
    };
    let nowhere = Sexp::atom("_");
    if let Some(name) = atom(json) {
        return Some(tagged("Base", vec![name, Sexp::default()]));
    }
    let keys = json.as_object()?.keys();
    let kind = keys
        .map(String::as_str)
        .find(|key| !matches!(*key, "args" | "of" | "name"))?;
    let content = &json[kind];
    Some(match kind {
        "base" => tagged("Base", vec![atom(content)?, all(&json["args"])?]),
        "tuple" => tagged("Tuple", vec![all(content)?]),
        "unboxed_tuple" => tagged("Unboxed_tuple", vec![all(content)?]),
        "record" => tagged("Record", vec![named(content, &|part| shape(part, groups))?]),
        "variant" => tagged("Variant", vec![named(content, &all)?]),
        "annotate" => tagged(
            "Annotate",
            vec![atom(content)?, shape(&json["of"], groups)?],
        ),
        "rec" => tagged("Rec_app", vec![atom(content)?, all(&json["args"])?]),
        "var" => tagged("Var", vec![Sexp::list([nowhere, atom(content)?])]),
        "poly_variant" => {
            let rows = content
                .as_array()?
                .iter()
                .map(|row| match row.get("inherit") {
                    Some(inherited) => {
                        let inherited = shape(inherited, groups)?;
                        Some(tagged(
                            "Inherit",
                            vec![Sexp::list([nowhere.clone(), inherited])],
                        ))
                    }
                    None => {
                        let argument = row.get("arg").map(|part| shape(part, groups));
                        let argument =
                            Sexp::list(argument.into_iter().collect::<Option<Vec<_>>>()?);
                        Some(tagged(
                            "Constr",
                            vec![Sexp::list([atom(&row["tag"])?, argument])],
                        ))
                    }
                });
            let rows = Sexp::List(rows.collect::<Option<_>>()?);
            tagged("Poly_variant", vec![Sexp::list([nowhere, rows])])
        }
        "app" => {
            let members = groups[content.as_str()?].as_array()?.iter().map(|member| {
                let parameters = member["params"].as_array()?.iter().map(atom);
                let parameters = Sexp::List(parameters.collect::<Option<_>>()?);
                let definition = [parameters, shape(&member["body"], groups)?];
                Some(Sexp::list([atom(&member["name"])?, Sexp::list(definition)]))
            });
            let group = Sexp::record([
                ("gid", atom(content)?),
                ("loc", nowhere),
                ("members", Sexp::List(members.collect::<Option<_>>()?)),
            ]);
            tagged(
                "Top_app",
                vec![group, atom(&json["name"])?, all(&json["args"])?],
            )
        }
        _ => return None,
    })
}
