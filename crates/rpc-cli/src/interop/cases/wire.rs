//! What only the bytes show.

use rpc_core::Rpc;
use rpc_wire::{Message, ResponseForm, Specifier};

use crate::interop::check::{Outcome, call_for, equal, refused};
use crate::interop::rpcs::ECHO_STRING;
use crate::interop::run::Run;

/// From version 11 queries name their RPC by its rank in the menu, and from 7 responses tell it:
/// for an RPC that is on the menu.
pub(super) async fn rank(run: &mut Run) -> Outcome {
    static NO_SUCH_RPC: Rpc<(), ()> = Rpc::new("no-such-rpc", 1);
    let (connection, seen) = run.target.connect_tapped().await?;
    let version = connection.version();
    call_for(&connection, &ECHO_STRING, &"rank".into(), "rank".into()).await?;
    refused("no-such-rpc", NO_SUCH_RPC.dispatch(&connection, &())).await?;

    let echo = ECHO_STRING.description();
    let rank = connection
        .peer_menu()
        .and_then(|menu| menu.rank(echo.as_ref()));
    let mut ranks = Vec::new();
    seen.sent(|message| {
        if let Message::Query(query) = message {
            ranks.push(match query.header.specifier() {
                Specifier::Rank(rank) => Some(rank),
                Specifier::Description(_) => None,
            });
        }
    });
    let sent = rank.filter(|_| version.has_query_by_rank());
    let sent = sent.and_then(|rank| i64::try_from(rank).ok());
    equal("ranks in queries", ranks, vec![sent, None])?;

    let mut indices = Vec::new();
    seen.received(|message| {
        if let Message::Response(response) = message {
            indices.push(match response.header.form {
                ResponseForm::V1 => None,
                ResponseForm::V2 { menu_index } => Some(menu_index.map(|index| index.0)),
            });
        }
    });
    let expected = match version.has_menu_index() {
        true => vec![Some(rank.map(|rank| rank as u64)), Some(None)],
        false => vec![None, None],
    };
    equal("menu indices in responses", indices, expected)
}
