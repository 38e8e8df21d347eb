//! Codecs of the users' values, on the wire and between two ends.

use bin_prot::WriteError;
use std::fmt::Debug;

use bin_prot::shape::Digest;
use bytes::Bytes;
use rpc_core::connection::Config;
use rpc_core::payload::{Codec, Raw, Undecodable};
use rpc_core::{Connection, Implementations, OneWay, PipeRpc, Rpc, StateRpc};
use rpc_wire::{QueryId, RpcDigests, RpcError};

use crate::pair::{CAPACITY, connect, settle};
use crate::peer::Peer;
use crate::rpcs::Notes;
use crate::source;

/// One RPC of each kind whose values are `T`, encoded by `C`.
struct Family<T, C> {
    plain: Rpc<T, T, C>,
    one_way: OneWay<T, C>,
    pipe: PipeRpc<T, T, T, C>,
    state: StateRpc<T, T, T, T, C>,
}

impl<T, C> Family<T, C>
where
    T: Clone + Default + PartialEq + Debug + Send + Unpin + 'static,
    C: Codec<T>,
{
    const fn new() -> Self {
        Self {
            plain: Rpc::new("plain", 1),
            one_way: OneWay::new("one-way", 1),
            pipe: PipeRpc::new("pipe", 1),
            state: StateRpc::new("state", 1),
        }
    }

    /// Answers with the query; a stream refuses what is the default.
    fn table(&self) -> Implementations<Notes> {
        let refuse = |query: T| match query == T::default() {
            true => Err(query),
            false => Ok(query),
        };
        Implementations::builder()
            .implement(&self.plain, |_, query| async { Ok(query) })
            .implement_one_way(&self.one_way, |notes: &Notes, message| {
                notes.push(format!("{message:?}"));
                async { Ok(()) }
            })
            .implement_pipe(&self.pipe, move |_, query| async move {
                Ok(refuse(query).map(|query| source::iter([query.clone(), query])))
            })
            .implement_state(&self.state, move |_, query| async move {
                Ok(refuse(query).map(|query| (query.clone(), source::iter([query]))))
            })
            .build()
            .unwrap()
    }

    /// Calls each kind with each of the values, and with the default.
    async fn check(&self, values: &[T]) {
        let (table, notes) = (self.table(), Notes::default());
        let nothing = Implementations::empty();
        let config = || Config::default().provide_shapes(true);
        let near = (config(), &nothing, ());
        let (near, _far): (Connection, Connection) =
            connect(CAPACITY, near, (config(), &table, notes.clone())).await;
        for value in values {
            let answer = self.plain.dispatch(&near, value).await.unwrap();
            assert_eq!(answer, *value);
            self.one_way.dispatch(&near, value).unwrap();
            settle().await;
            assert_eq!(notes.take(), [format!("{value:?}")]);
            let mut pipe = self.pipe.dispatch(&near, value).await.unwrap().unwrap();
            for expected in [Some(value), Some(value), None] {
                assert_eq!(pipe.next().await.as_ref(), expected);
            }
            let state = self.state.dispatch(&near, value).await.unwrap();
            let (state, mut pipe) = state.unwrap();
            assert_eq!(state, *value);
            assert_eq!(pipe.next().await.as_ref(), Some(value));
            assert_eq!(pipe.next().await, None);
        }
        let refused = self.pipe.dispatch(&near, &T::default()).await.unwrap();
        assert_eq!(refused.unwrap_err(), T::default());
        let refused = self.state.dispatch(&near, &T::default()).await.unwrap();
        assert_eq!(refused.unwrap_err(), T::default());
        // These codecs have no shapes.
        let menu = near.peer_menu().unwrap();
        let unknown = |digests| digests == RpcDigests::Unknown;
        assert!(menu.entries().iter().all(|entry| unknown(entry.digests)));
        assert!(!near.is_closed());
    }
}

#[tokio::test(start_paused = true)]
async fn raw_bytes_are_payloads_of_every_kind() {
    static BYTES: Family<Bytes, Raw> = Family::new();
    static VECTORS: Family<Vec<u8>, Raw> = Family::new();
    let values = [b"x".as_slice(), b"\0\xff", &[7; 1000]];
    BYTES.check(&values.map(Bytes::copy_from_slice)).await;
    VECTORS.check(&values.map(<[u8]>::to_vec)).await;
}

/// Nothing is added to the bytes, an empty payload is one, and any bytes are a value.
#[tokio::test(start_paused = true)]
async fn raw_bytes_travel_as_they_are() {
    static RAW: Rpc<Bytes, Vec<u8>, Raw> = Rpc::new("raw", 1);
    let table = Implementations::builder()
        .implement_blocking(&RAW, |(): &(), query| Ok([b"<", &query[..], b">"].concat()))
        .build()
        .unwrap();
    let (connection, mut peer) = Peer::open(Config::default(), &table, (), 10).await;
    let message = peer.query_message(1, &RAW.description(), b"\xff\0");
    peer.send_bytes(&message).await;
    let answer = peer.expect_response().await;
    assert_eq!(answer.result.unwrap(), b"<\xff\0>");
    let call = RAW.dispatch(&connection, &Bytes::new());
    let asked = peer.expect_query().await;
    assert_eq!(asked.payload, b"");
    peer.respond(asked.id, Ok(b"")).await;
    assert_eq!(call.await.unwrap(), b"");
    assert_eq!(connection.open_queries(), 0);
}

/// Numbers as people write them.
enum Decimal {}

impl Codec<i64> for Decimal {
    fn size(value: &i64) -> usize {
        value.to_string().len()
    }

    fn write(value: &i64, buffer: &mut Vec<u8>) -> Result<(), WriteError> {
        buffer.extend_from_slice(value.to_string().as_bytes());
        Ok(())
    }

    fn read(bytes: &[u8]) -> Result<i64, Undecodable> {
        let text = std::str::from_utf8(bytes).map_err(Undecodable::new)?;
        text.parse().map_err(Undecodable::new)
    }

    fn digest() -> Option<Digest> {
        None
    }
}

#[tokio::test(start_paused = true)]
async fn own_codec_encodes_payloads_of_every_kind() {
    static DECIMAL: Family<i64, Decimal> = Family::new();
    // Also what bin_prot has no encoding for.
    DECIMAL.check(&[1, -17, i64::MAX, i64::MIN]).await;
}

/// R-PL-3, R-PL-21: what the codec says is in the error.
#[tokio::test(start_paused = true)]
async fn own_codecs_refusal_is_an_error_of_the_one_call() {
    static ADD_ONE: Rpc<i64, i64, Decimal> = Rpc::new("add-one", 1);
    let table = Implementations::builder()
        .implement_blocking(&ADD_ONE, |(): &(), n| Ok(n + 1))
        .build()
        .unwrap();
    let (connection, mut peer) = Peer::open(Config::default(), &table, (), 11).await;
    let message = peer.query_message(1, &ADD_ONE.description(), b"one");
    peer.send_bytes(&message).await;
    let error = peer.expect_error(1).await;
    assert!(matches!(error, RpcError::BinIoExn(_)), "{error}");
    assert!(error.to_string().contains("invalid digit"), "{error}");
    let message = peer.query_message(2, &ADD_ONE.description(), b"41");
    peer.send_bytes(&message).await;
    assert_eq!(peer.expect_response().await.result.unwrap(), b"42");

    let bad = ADD_ONE.dispatch(&connection, &1);
    assert_eq!(peer.expect_query().await.payload, b"1");
    peer.respond(QueryId::new(1), Ok(b"two")).await;
    let error = bad.await.unwrap_err().to_string();
    assert!(error.contains("invalid digit"), "{error}");
    assert!(!connection.is_closed());
}

#[cfg(feature = "prost")]
mod protobuf {
    use rpc_core::payload::Protobuf;

    use super::*;

    #[derive(Clone, PartialEq, prost::Message)]
    struct Quote {
        #[prost(string, tag = "1")]
        symbol: String,
        #[prost(sint64, tag = "2")]
        cents: i64,
        #[prost(bytes = "vec", repeated, tag = "3")]
        notes: Vec<Vec<u8>>,
    }

    fn quote(symbol: &str, cents: i64) -> Quote {
        Quote {
            symbol: symbol.to_owned(),
            cents,
            notes: vec![vec![], vec![1, 2, 3]],
        }
    }

    #[tokio::test(start_paused = true)]
    async fn messages_are_payloads_of_every_kind() {
        static QUOTES: Family<Quote, Protobuf> = Family::new();
        QUOTES.check(&[quote("ABC", 17), quote("", -1)]).await;
        // A well-known wrapper is the plain type.
        static TEXTS: Family<String, Protobuf> = Family::new();
        TEXTS.check(&["hello".to_owned()]).await;
    }

    /// The payload is the message, without any length before it.
    #[tokio::test(start_paused = true)]
    async fn message_travels_in_its_own_encoding() {
        static QUOTE: Rpc<String, Quote, Protobuf> = Rpc::new("quote", 1);
        let table = Implementations::builder()
            .implement_blocking(&QUOTE, |(): &(), symbol: String| {
                Ok(Quote {
                    symbol,
                    cents: -3,
                    notes: Vec::new(),
                })
            })
            .build()
            .unwrap();
        let (_connection, mut peer) = Peer::open(Config::default(), &table, (), 11).await;
        // Field 1, of bytes, of length 3.
        let message = peer.query_message(1, &QUOTE.description(), b"\x0a\x03ABC");
        peer.send_bytes(&message).await;
        // And then field 2, a varint, in zigzag.
        let answer = peer.expect_response().await;
        assert_eq!(answer.result.unwrap(), b"\x0a\x03ABC\x10\x05");
        // The default is the empty message.
        let message = peer.query_message(2, &QUOTE.description(), b"");
        peer.send_bytes(&message).await;
        assert_eq!(peer.expect_response().await.result.unwrap(), b"\x10\x05");
    }

    /// R-PL-3.
    #[tokio::test(start_paused = true)]
    async fn undecodable_message_is_an_error_of_its_query() {
        static QUOTE: Rpc<Quote, Quote, Protobuf> = Rpc::new("quote", 1);
        let table = Implementations::builder()
            .implement_blocking(&QUOTE, |(): &(), quote| Ok(quote))
            .build()
            .unwrap();
        let (connection, mut peer) = Peer::open(Config::default(), &table, (), 11).await;
        for bad in [b"\x0a\x05ABC".as_slice(), b"\xff", b"\x10", b"\x0b"] {
            let message = peer.query_message(1, &QUOTE.description(), bad);
            peer.send_bytes(&message).await;
            let error = peer.expect_error(1).await;
            assert!(matches!(error, RpcError::BinIoExn(_)), "{error}");
        }
        assert!(!connection.is_closed());
    }
}
