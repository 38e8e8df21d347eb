//! Frames and the header of the message inside: queries and responses, as two peers of this
//! implementation send them. The payload is opaque.
//!
//! Beside them `LengthDelimitedCodec` with frames of the same bytes, of which it only finds the
//! length; and the same codec with a message of the same content in another format.

mod message;
mod rivals;

use std::hint::black_box;

use benches::frames::{self, Content, Kind};
use bytes::BytesMut;
use rpc_wire::frame::{DEFAULT_LIMIT, LENGTH_BYTES};
use tokio_util::codec::{Decoder as _, Encoder as _, LengthDelimitedCodec};

use self::rivals::{Bincode, Binprot, Format, Postcard, Prost};
use crate::{
    measure::{Case, Contestant},
    names::{ALONE, COPY, OURS},
};

/// What one read of a busy connection takes, and so how much is decoded at once.
const READ_BYTES: usize = 64 * 1024;

fn name(kind: Kind) -> &'static str {
    match kind {
        Kind::Query => "query",
        Kind::Response => "response",
    }
}

/// Whether the case of this name is one of these.
pub(crate) fn has(case: &str) -> bool {
    ["query", "response", "1000 frames"]
        .iter()
        .any(|name| case.starts_with(name))
}

/// All cases of envelopes.
pub(crate) fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    for kind in [Kind::Query, Kind::Response] {
        for payload_bytes in [32, 1024] {
            let content = Content::new(kind, payload_bytes);
            let name = format!("{} {payload_bytes} B", name(kind));
            cases.push(encode(format!("{name}, encode"), content));
            let frames = READ_BYTES / content.frame().len();
            let stream = vec![content; frames];
            cases.push(decode(format!("{name}, decode"), stream));
        }
    }
    let mixed = [
        Content::new(Kind::Query, 32),
        Content::new(Kind::Response, 32),
    ];
    let stream = mixed.into_iter().cycle().take(1000).collect();
    cases.push(decode("1000 frames of 32 B, decode".to_owned(), stream));
    cases
}

/// One message into a warm buffer.
fn encode(name: String, content: Content) -> Case {
    let whole = content.frame();
    let body = whole[LENGTH_BYTES..].to_vec();
    let mut buffer = Vec::with_capacity(2 * whole.len());
    let mut codec = codec();
    let mut codec_buffer = BytesMut::with_capacity(2 * whole.len());
    let mut copy = Vec::with_capacity(whole.len());
    let contestants = vec![
        Contestant::new(OURS, move || {
            buffer.clear();
            black_box(content).put(&mut buffer);
            black_box(&buffer);
        }),
        Contestant::new(ALONE, move || {
            codec_buffer.clear();
            codec
                .encode(black_box(body.as_slice()), &mut codec_buffer)
                .expect("a body within the limit");
            black_box(&codec_buffer);
        }),
        encode_with::<Bincode>(content),
        encode_with::<Postcard>(content),
        encode_with::<Prost>(content),
        encode_with::<Binprot>(content),
        Contestant::new(COPY, move || {
            copy.clear();
            copy.extend_from_slice(black_box(&whole));
            black_box(&copy);
        }),
    ];
    Case::new(&name, contestants)
}

fn encode_with<F: Format>(content: Content) -> Contestant {
    let mut codec = codec();
    let message = F::message(content);
    let mut scratch = scratch(content);
    let mut buffer = BytesMut::with_capacity(2 * scratch.len());
    Contestant::new(F::NAME, move || {
        buffer.clear();
        let body = F::encode(black_box(&message), &mut scratch);
        codec
            .encode(body, &mut buffer)
            .expect("a body within the limit");
        black_box(&buffer);
    })
}

/// Frames out of one buffer, each message in place.
fn decode(name: String, contents: Vec<Content>) -> Case {
    let stream = contents
        .iter()
        .copied()
        .flat_map(Content::frame)
        .collect::<Vec<u8>>();
    let payload_bytes: usize = contents.iter().map(|content| content.payload.len()).sum();
    let items = u32::try_from(contents.len()).expect("a few frames");
    assert_eq!(frames::read(&stream), payload_bytes);
    let ours = stream.clone();
    let mut copy = Vec::with_capacity(stream.len());
    let whole = stream.clone();
    let contestants = vec![
        // Nothing needs preparing; it is so that all are measured in the same way.
        Contestant::prepared(
            OURS,
            (),
            |()| (),
            move |()| {
                black_box(frames::read(black_box(&ours)));
            },
        ),
        decode_frames(ALONE, stream, |body| {
            black_box(&body);
        }),
        decode_with::<Bincode>(&contents),
        decode_with::<Postcard>(&contents),
        decode_with::<Prost>(&contents),
        decode_with::<Binprot>(&contents),
        Contestant::prepared(
            COPY,
            (),
            |()| (),
            move |()| {
                copy.clear();
                copy.extend_from_slice(black_box(&whole));
                black_box(&copy);
            },
        ),
    ];
    Case {
        name,
        items,
        contestants,
    }
}

fn decode_with<F: Format>(contents: &[Content]) -> Contestant {
    let mut stream = BytesMut::new();
    for content in contents {
        let mut scratch = scratch(*content);
        let body = F::encode(&F::message(*content), &mut scratch);
        codec()
            .encode(body, &mut stream)
            .expect("a body within the limit");
        let (found, wanted) = (F::decode(BytesMut::from(body)), content.payload.len());
        assert_eq!(found, wanted, "{}", F::NAME);
    }
    decode_frames(F::NAME, stream.to_vec(), |body| {
        black_box(F::decode(body));
    })
}

/// The codec's loop over a buffer that has been read into. As in `Framed`, the buffer stays, and
/// has been split before.
fn decode_frames(name: &'static str, stream: Vec<u8>, body: fn(BytesMut)) -> Contestant {
    let state = (codec(), BytesMut::with_capacity(stream.len()));
    Contestant::prepared(
        name,
        state,
        move |(_, buffer)| {
            buffer.clear();
            buffer.extend_from_slice(&stream);
        },
        move |(codec, buffer)| {
            while let Some(frame) = codec.decode(buffer).expect("frames within the limit") {
                body(frame);
            }
        },
    )
}

/// The codec for frames as ours are: eight bytes of length, little endian.
fn codec() -> LengthDelimitedCodec {
    LengthDelimitedCodec::builder()
        .length_field_type::<u64>()
        .little_endian()
        .max_frame_length(DEFAULT_LIMIT)
        .new_codec()
}

/// Room for a message in whichever format.
fn scratch(content: Content) -> Vec<u8> {
    vec![0; content.payload.len() + 128]
}
