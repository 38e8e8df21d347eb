//! Frames: any bytes, in any pieces, give the same bodies.

use bytes::{Bytes, BytesMut};
use rpc_wire::codec::{CodecError, FrameCodec};
use rpc_wire::frame::{self, Frames, LENGTH_BYTES};
use rpc_wire::handshake::FirstFrameError;
use tokio_util::codec::{Decoder, Encoder};

use crate::chance::Chance;
use crate::memory::bounded;

/// What a stream consists of, as *protocol* §1 says it.
#[derive(Debug, PartialEq)]
struct Declared<'a> {
    bodies: Vec<&'a [u8]>,
    end: End,
}

#[derive(Debug, PartialEq)]
enum End {
    /// So many bytes of a frame that is not complete.
    Rest(usize),
    /// A length that no frame may have.
    Length(frame::Error),
}

fn declared(mut stream: &[u8], limit: usize) -> Declared<'_> {
    let mut bodies = Vec::new();
    loop {
        let Some((length, rest)) = stream.split_first_chunk::<LENGTH_BYTES>() else {
            let end = End::Rest(stream.len());
            return Declared { bodies, end };
        };
        let length = i64::from_le_bytes(*length);
        let Some(size) = usize::try_from(length).ok().filter(|size| *size <= limit) else {
            let end = End::Length(frame::Error { length, limit });
            return Declared { bodies, end };
        };
        if size > rest.len() {
            let end = End::Rest(stream.len());
            return Declared { bodies, end };
        }
        let (body, after) = rest.split_at(size);
        bodies.push(body);
        stream = after;
    }
}

/// Cuts a stream into frames: at once, in pieces, with a small limit and with the default one.
///
/// # Panics
/// Two ways give different bodies, or what was cut is not put together to the same bytes.
pub fn frames(stream: &[u8]) {
    for limit in [7, 300, frame::DEFAULT_LIMIT] {
        let expected = declared(stream, limit);
        check_slices(stream, limit, &expected);
        check_pieces(stream, limit, &expected);
        check_written(stream, limit, &expected.bodies);
        if let End::Length(error) = expected.end {
            let foreign = FirstFrameError::from(error).to_string();
            assert!(foreign.is_ascii(), "{foreign}");
        }
    }
}

fn check_slices(stream: &[u8], limit: usize, expected: &Declared<'_>) {
    let mut frames = Frames::new(stream, limit);
    let mut bodies = Vec::new();
    let mut failure = None;
    for frame in frames.by_ref() {
        match frame {
            Ok(body) => bodies.push(body),
            Err(error) => failure = Some(error),
        }
    }
    assert!(frames.next().is_none(), "went on after the end");
    let rest = frames.rest();
    assert!(stream.ends_with(rest));
    let end = failure.map_or(End::Rest(rest.len()), End::Length);
    assert_eq!(Declared { bodies, end }, *expected);
}

fn check_pieces(stream: &[u8], limit: usize, expected: &Declared<'_>) {
    let mut codec = FrameCodec::new(limit);
    let mut buffer = BytesMut::new();
    let mut bodies: Vec<Bytes> = Vec::new();
    let mut failure = None;
    bounded(stream.len(), || {
        for piece in Chance::of(stream).split(stream) {
            buffer.extend_from_slice(piece);
            loop {
                match codec.decode(&mut buffer) {
                    Ok(Some(body)) => bodies.push(body),
                    Ok(None) => break,
                    Err(error) => {
                        failure = Some(error);
                        return;
                    }
                }
            }
        }
    });
    assert_eq!(bodies, expected.bodies);
    match (&failure, &expected.end) {
        (Some(CodecError::Frame(found)), End::Length(error)) => assert_eq!(found, error),
        (None, End::Rest(rest)) => {
            assert_eq!(buffer.len(), *rest);
            match codec.decode_eof(&mut buffer) {
                Ok(None) => assert_eq!(*rest, 0),
                Err(CodecError::EndInsideFrame(inside)) => assert_eq!(inside, *rest),
                other => panic!("{other:?} at the end"),
            }
        }
        other => panic!("{other:?}"),
    }
}

fn check_written(stream: &[u8], limit: usize, bodies: &[&[u8]]) {
    let mut written = Vec::new();
    let mut encoded = BytesMut::new();
    let mut codec = FrameCodec::new(limit);
    for body in bodies {
        let appended = frame::append(&mut written, limit, body.len(), |buffer| {
            buffer.extend_from_slice(body);
            Ok(())
        });
        assert_eq!(appended, Ok(body.len()));
        codec.encode(*body, &mut encoded).expect("within the limit");
    }
    assert!(stream.starts_with(&written));
    assert_eq!(encoded, written);
}
