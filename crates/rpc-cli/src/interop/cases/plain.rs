//! Plain calls: answers, users' errors, raising handlers.

use bin_prot::ByteString;
use rpc_wire::RpcError;

use crate::interop::check::{Failure, Outcome, call_for, contains, refused};
use crate::interop::rpcs::{DIVIDE, ECHO_STRING, FAIL, SUM};
use crate::interop::run::Run;

/// The shortest texts.
pub(super) async fn echo_small(run: &mut Run) -> Outcome {
    let connection = run.connection().await?;
    for text in ["", "hello"] {
        call_for(&connection, &ECHO_STRING, &text.into(), text.into()).await?;
    }
    Ok(())
}

/// Sizes around those at which lengths take more bytes, and bytes that are no text.
pub(super) async fn echo(run: &mut Run) -> Outcome {
    let connection = run.connection().await?;
    let mut texts = vec![ByteString::from("hello"), ByteString::from("")];
    texts.extend([127, 128, 70_000].map(|size| ByteString::from("e".repeat(size))));
    texts.push(ByteString((0..=u8::MAX).collect()));
    for text in texts {
        call_for(&connection, &ECHO_STRING, &text, text.clone()).await?;
    }
    Ok(())
}

/// Numbers of each size that the encoding knows.
pub(super) async fn sum(run: &mut Run) -> Outcome {
    let connection = run.connection().await?;
    let edges = vec![
        127,
        128,
        -128,
        -129,
        32_768,
        65_536,
        2_147_483_648,
        -2_147_483_649,
    ];
    for (numbers, expected) in [
        (vec![], 0),
        (vec![1, 2, 3], 6),
        (edges, 98_301),
        ((0..1000).collect(), 499_500),
    ] {
        call_for(&connection, &SUM, &numbers, expected).await?;
    }
    Ok(())
}

/// A raising handler: the caller is told what it raised, and the connection lives.
pub(super) async fn fail(run: &mut Run) -> Outcome {
    let connection = run.connection().await?;
    for text in ["kaboom", "kaboom2"] {
        let error = refused("fail", FAIL.dispatch(&connection, &text.into())).await?;
        let RpcError::UncaughtExn(exn) = error else {
            return Err(Failure::unexpected("fail", error, "Uncaught_exn"));
        };
        contains("Uncaught_exn", &exn.to_string(), text)?;
    }
    still_there(&connection).await
}

/// A user's error is part of the response's type.
pub(super) async fn divide(run: &mut Run) -> Outcome {
    let connection = run.connection().await?;
    call_for(&connection, &DIVIDE, &(22, 7), Ok(3)).await?;
    let error = Err("division by zero".into());
    call_for(&connection, &DIVIDE, &(22, 0), error).await
}

/// The connection has survived.
pub(super) async fn still_there(connection: &rpc_core::Connection) -> Outcome {
    let text = || "still here".into();
    call_for(connection, &ECHO_STRING, &text(), text()).await
}
