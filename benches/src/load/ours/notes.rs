//! Messages without an answer, dispatched one by one or many of them together.

use std::{
    convert::Infallible,
    net::SocketAddr,
    sync::atomic::{AtomicU64, Ordering},
};

use anyhow::{Result, anyhow};
use bin_prot::ByteString;
use rpc_core::{Connection, Implementations, OneWay, connection::Config};
use tokio::net::TcpListener;

use super::{
    super::{check, payload},
    Tally, duel,
};

static NOTE: OneWay<ByteString> = OneWay::new("note", 1);

/// Messages between two looks at how many bytes wait.
const BATCH: usize = 256;

/// Bytes of messages that may wait before their sender does.
const HIGH_WATER: u64 = 256 * 1024;

/// How a batch is dispatched.
#[derive(Clone, Copy, Debug)]
pub(super) enum Sending {
    Single,
    Together,
}

/// Sends messages for as long as they are taken.
pub(super) async fn send(listener: TcpListener, bytes: usize, sending: Sending) -> Result<()> {
    let socket = duel::accept(&listener).await?;
    let connection = Connection::create(socket, Config::default()).await?;
    // From the same places again and again, as raw puts them into its buffer.
    let places = match sending {
        Sending::Single => 1,
        Sending::Together => BATCH,
    };
    let mut messages = vec![ByteString(payload(0, bytes)); places];
    let mut number = 0_u64;
    loop {
        for _ in 0..BATCH / places {
            for message in &mut messages {
                message.0[..8].copy_from_slice(&number.to_le_bytes());
                number += 1;
            }
            match sending {
                Sending::Single => NOTE.dispatch(&connection, &messages[0])?,
                Sending::Together => NOTE.dispatch_all(&connection, &messages)?,
            }
        }
        if connection.bytes_to_write() > HIGH_WATER {
            connection.flushed().await;
        }
    }
}

/// Takes messages that come in the order of their numbers.
pub(super) async fn take(to: SocketAddr, tally: Tally, bytes: usize) -> Result<Infallible> {
    let taken = AtomicU64::new(0);
    let implementations = Implementations::<()>::builder()
        .implement_one_way(&NOTE, move |_state, ByteString(message)| {
            let number = taken.load(Ordering::Relaxed);
            taken.store(number + 1, Ordering::Relaxed);
            check(&message, number, bytes).expect("the next number");
            tally.add(1);
            async { Ok(()) }
        })
        .build()?;
    let socket = duel::connect(to).await?;
    let connection = Connection::serve(socket, Config::default(), &implementations, |_| ()).await?;
    let closed = connection.closed().await;
    Err(anyhow!("{closed}"))
}
