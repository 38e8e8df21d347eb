//! What both sides tell of themselves before anything else.

use crate::interop::check::{Failure, Outcome, call_for, equal};
use crate::interop::rpcs::ECHO_STRING;
use crate::interop::run::{Run, config};

/// The negotiated version; from 3 on the server's identification and menu.
pub(super) async fn handshake(run: &mut Run) -> Outcome {
    let connection = run.connection().await?;
    let version = connection.version();
    let wire = run.target.wire.as_ref();
    if wire.is_some_and(|wire| !wire.contains(&version)) {
        return Err(Failure::unexpected("version", version, "one we offered"));
    }
    let told = version.has_connection_metadata();
    equal(
        "there is an identification",
        connection.peer_identification().is_some(),
        told,
    )?;
    equal("there is a menu", connection.peer_menu().is_some(), told)?;
    if let Some(menu) = connection.peer_menu() {
        let rank = menu.rank(ECHO_STRING.description().as_ref());
        equal("echo-string is on the menu", rank.is_some(), true)?;
    }
    Ok(())
}

/// Whatever we call ourselves, or nothing: the server takes it, and calls itself the same.
pub(super) async fn ident(run: &mut Run) -> Outcome {
    let first = run.connection().await?;
    let identification = first.peer_identification();
    let anonymous = config(run.target.wire.clone());
    let long = "i".repeat(70_000);
    let ours = [
        anonymous.clone(),
        anonymous.clone().identification(""),
        anonymous.clone().identification(vec![0, 0xff, 0xfe]),
        anonymous.clone().identification(long),
    ];
    for config in ours {
        let connection = run.target.connect_with(config).await?;
        equal(
            "identification",
            connection.peer_identification(),
            identification,
        )?;
        call_for(&connection, &ECHO_STRING, &"who?".into(), "who?".into()).await?;
        connection.close();
    }
    Ok(())
}
