//! What the codecs of the feature `tokio-codec` promise.

use std::time::Duration;

use bin_prot::to_vec;
use bytes::{Bytes, BytesMut};
use proptest::collection::vec;
use proptest::prelude::*;
use rpc_wire::codec::{CodecError, FrameCodec, MessageCodec};
use rpc_wire::frame::AppendError;
use rpc_wire::{Message, OwnedMessage};
use tokio::io::AsyncWriteExt as _;
use tokio_util::codec::{Decoder, Encoder};

use crate::arbitrary::message;

/// All items of a stream that arrives in pieces of these sizes, the last one again and again.
fn items<D: Decoder>(
    codec: &mut D,
    stream: &[u8],
    sizes: &[usize],
) -> Result<Vec<D::Item>, D::Error> {
    let (mut buffer, mut found) = (BytesMut::new(), Vec::new());
    let mut rest = stream;
    let mut sizes = sizes.iter().copied().chain(std::iter::repeat(7));
    while !rest.is_empty() {
        let size = sizes.next().expect("endless").min(rest.len());
        buffer.extend_from_slice(&rest[..size]);
        rest = &rest[size..];
        while let Some(item) = codec.decode(&mut buffer)? {
            found.push(item);
        }
    }
    while let Some(item) = codec.decode_eof(&mut buffer)? {
        found.push(item);
    }
    Ok(found)
}

proptest! {
    /// *Protocol* §1, catalogue W24, W25: a transport may split and join frames as it likes.
    #[test]
    fn any_split_gives_the_same_bodies(
        bodies in vec(vec(any::<u8>(), 0..30), 0..6),
        sizes in vec(1_usize..20, 0..20),
    ) {
        let mut stream = BytesMut::new();
        for body in &bodies {
            FrameCodec::new(30).encode(&body[..], &mut stream).unwrap();
        }
        let found = items(&mut FrameCodec::new(30), &stream, &sizes).unwrap();
        prop_assert_eq!(found, bodies);
    }

    /// W27: the same for messages, which are written again as they were.
    #[test]
    fn any_split_gives_the_same_messages(
        sent in vec(message(), 0..5),
        sizes in vec(1_usize..40, 0..20),
    ) {
        let mut codec = MessageCodec::default();
        let mut stream = BytesMut::new();
        for message in &sent {
            let body = Bytes::from(to_vec(message).unwrap());
            codec.encode(OwnedMessage::decode(&body).unwrap(), &mut stream).unwrap();
        }
        let found = items(&mut codec, &stream, &sizes).unwrap();
        let written: Vec<_> = found.iter().map(|message| to_vec(message).unwrap()).collect();
        let sent: Vec<_> = sent.iter().map(|message| to_vec(message).unwrap()).collect();
        prop_assert_eq!(written, sent);
    }

    /// Any cut is noticed, unless it is between frames.
    #[test]
    fn end_inside_a_frame_is_an_error(at in 0_usize..=18) {
        let stream = [1, 0, 0, 0, 0, 0, 0, 0, 0x00].repeat(2);
        match items(&mut MessageCodec::default(), &stream[..at], &[]) {
            Ok(found) => prop_assert_eq!(found.len() * 9, at),
            Err(CodecError::EndInsideFrame(left)) => prop_assert_eq!(left, at % 9),
            Err(error) => prop_assert!(false, "{error}"),
        }
    }
}

/// C-RD-2, W26: by the length alone, without waiting for the body or making room for it.
#[test]
fn length_above_the_limit_is_refused_at_once() {
    let mut codec = FrameCodec::new(10);
    let mut buffer = BytesMut::from(&11_u64.to_le_bytes()[..]);
    for _ in 0..2 {
        assert!(matches!(
            codec.decode(&mut buffer),
            Err(CodecError::Frame(_))
        ));
    }
    let mut buffer = BytesMut::from(&10_u64.to_le_bytes()[..]);
    assert!(codec.decode(&mut buffer).unwrap().is_none());
    assert!(buffer.capacity() < 100);
}

/// W28.
#[test]
fn too_big_to_send_writes_nothing() {
    let mut buffer = BytesMut::new();
    let mut frames = FrameCodec::new(0);
    let error = frames.encode(Bytes::from_static(b"x"), &mut buffer);
    let too_big = |error| {
        matches!(
            error,
            Err(CodecError::Unsendable(AppendError::TooBig {
                size: 1,
                limit: 0
            }))
        )
    };
    assert!(too_big(error));
    let mut messages = MessageCodec::new(frames);
    assert!(too_big(messages.encode(Message::Heartbeat, &mut buffer)));
    assert!(buffer.is_empty());
}

/// Through tokio's own reader, and an empty frame, which no message is (decision 18).
#[tokio::test]
async fn messages_come_out_of_a_stream() {
    let (mut peer, ours) = tokio::io::duplex(4);
    let send = async {
        peer.write_all(&[1, 0, 0, 0, 0, 0, 0, 0, 0x0a])
            .await
            .unwrap();
        peer.write_all(&[0; 8]).await.unwrap();
    };
    let receive = async {
        let mut framed = tokio_util::codec::FramedRead::new(ours, MessageCodec::default());
        let mut next = async || {
            let next = std::future::poll_fn(|cx| {
                futures_core::Stream::poll_next(std::pin::Pin::new(&mut framed), cx)
            });
            tokio::time::timeout(Duration::from_secs(10), next).await
        };
        let first = next().await.unwrap().unwrap().unwrap();
        assert_eq!(first, OwnedMessage::CloseStarted);
        let second = next().await.unwrap().unwrap();
        assert!(matches!(second, Err(CodecError::Message(_))), "{second:?}");
    };
    tokio::join!(send, receive);
}
