//! A plain RPC of which both sides know bytes only.

use std::time::Duration;

use bin_prot::to_vec;
use rpc_core::{
    Connection, ConnectionClosed, DispatchError, ExpertRpc, Implementation, Reply, RespondError,
};
use tokio::sync::oneshot;
use tokio::time::sleep;

use super::ledger::Done;
use super::rpcs::{NOTE, State};
use super::worker::Caller;

/// Ways to answer, which the query's first byte chooses.
const WAYS: u64 = 4;

const MOST_BYTES: u64 = 100_000;

fn rpc() -> ExpertRpc {
    ExpertRpc::new("bytes", 1)
}

/// Answers the bytes that it was sent.
pub(super) fn implementation() -> Implementation<State> {
    Implementation::expert(&rpc(), |_: &State, query, responder| {
        let bytes = query.to_bytes();
        async move {
            match bytes.first() {
                Some(0) => responder.bytes(&bytes)?,
                // Not copied, if it is large.
                Some(1) => match responder.schedule(bytes) {
                    Ok(_) | Err(RespondError::Closed) => {}
                    Err(error) => return Err(error.into()),
                },
                Some(2) => {
                    return Ok(Reply::delayed(async move {
                        sleep(Duration::from_micros(bytes.len() as u64)).await;
                        Ok(responder.bytes(&bytes)?)
                    }));
                }
                // What is behind it waits for so long.
                _ => {
                    sleep(Duration::from_micros(200)).await;
                    responder.bytes(&bytes)?;
                }
            }
            Ok(Reply::Replied)
        }
    })
}

/// Sends bytes that mean nothing to anybody, and expects the same ones.
pub(super) async fn call(caller: &mut Caller) {
    let chance = &mut caller.chance;
    let mut bytes = vec![chance.below(WAYS).to_le_bytes()[0]];
    for _ in 0..chance.size(MOST_BYTES) / 8 {
        bytes.extend(chance.next().to_le_bytes());
    }
    let connection = caller.connection.clone();
    let echo = match caller.chance.one_in(2) {
        true => {
            let dispatch = rpc().dispatch(&connection, &bytes);
            let echo = caller.outcome(dispatch).await;
            echo.map(|echo| echo.to_vec())
        }
        false => {
            // The connection's other messages wait for the callback.
            let (sender, answer) = oneshot::channel();
            let sent = rpc().dispatch_with(&connection, &bytes, |result| {
                let result = result.map(<[u8]>::to_vec);
                async move {
                    sleep(Duration::from_micros(50)).await;
                    let _forgotten = sender.send(result);
                }
            });
            // The connection ended while the callback waited.
            let ended = ConnectionClosed { reason: None };
            let dispatch = async {
                sent?;
                answer.await.unwrap_or_else(|_| Err(ended.into()))
            };
            caller.outcome(dispatch).await
        }
    };
    if let Some(echo) = echo {
        caller.ledger().did(Done::Bytes);
        let size = bytes.len();
        caller.check(echo == bytes, format_args!("other bytes than {size} sent"));
    }
}

/// One number as an encoded one-way message.
pub(super) fn note(connection: &Connection, number: i64) -> Result<(), DispatchError> {
    let message = to_vec(&number)?;
    ExpertRpc::from(NOTE.description()).dispatch_one_way(connection, &message)
}
