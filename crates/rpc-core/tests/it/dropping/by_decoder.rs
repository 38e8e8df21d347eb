//! Calls that the decoder of their answer drops.

use std::any::Any;
use std::cell::RefCell;

use bin_prot::WriteError;
use bin_prot::shape::Digest;
use rpc_core::payload::{Codec, Undecodable};
use rpc_core::{Connection, PipeRpc, Rpc};

use crate::pair::settle;
use crate::peer::Peer;

thread_local! {
    /// What [`DropsTheCall`] drops.
    static VICTIM: RefCell<Option<Box<dyn Any>>> = const { RefCell::new(None) };
}

/// Units, of which reading one drops something.
enum DropsTheCall {}

impl Codec<()> for DropsTheCall {
    fn size((): &()) -> usize {
        1
    }

    fn write((): &(), buffer: &mut Vec<u8>) -> Result<(), WriteError> {
        buffer.push(0);
        Ok(())
    }

    fn read(bytes: &[u8]) -> Result<(), Undecodable> {
        drop(VICTIM.take());
        if bytes == [0] {
            Ok(())
        } else {
            Err(Undecodable::new("no unit"))
        }
    }

    fn digest() -> Option<Digest> {
        None
    }
}

static DROPPED_PLAIN: Rpc<(), (), DropsTheCall> = Rpc::new("plain", 1);

static DROPPED_STREAM: PipeRpc<(), (), (), DropsTheCall> = PipeRpc::new("stream", 1);

/// Dispatches, and gives the peer's answer to a decoder that drops the call.
async fn check_dropped_by_decoder<F: 'static>(
    dispatch: impl FnOnce(&Connection) -> F,
    answer: &[u8],
) {
    let (connection, mut peer) = Peer::called_by_us(11).await;
    VICTIM.set(Some(Box::new(dispatch(&connection))));
    let id = peer.expect_query().await.id;
    peer.respond(id, Ok(answer)).await;
    settle().await;
    assert!(VICTIM.take().is_none());
    assert_eq!(connection.open_queries(), 0);
}

/// Decoders are the user's code, and run without any lock held.
#[tokio::test(start_paused = true)]
async fn call_can_be_dropped_by_its_own_decoder() {
    let plain = |connection: &Connection| DROPPED_PLAIN.dispatch(connection, &());
    check_dropped_by_decoder(plain, b"\x00").await;
    check_dropped_by_decoder(plain, b"\x07").await;
}

/// The same of the user's error, after which nothing comes: so nothing can be waited for.
#[tokio::test(start_paused = true)]
async fn stream_can_be_dropped_by_the_decoder_of_its_error() {
    let stream = |connection: &Connection| DROPPED_STREAM.dispatch(connection, &());
    check_dropped_by_decoder(stream, b"\x00\x01\x00").await;
    check_dropped_by_decoder(stream, b"\x00\x01\x07").await;
}
