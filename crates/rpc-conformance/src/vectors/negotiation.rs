//! Which version two headers agree on.

use bin_prot::to_vec;
use rpc_testkit::golden::{Vector, items_of};
use rpc_wire::Header;
use rpc_wire::handshake::{HeaderError, NegotiationError, negotiate};
use serde_json::{Value as Json, json};

use crate::compare;
use crate::report::{Checked, Problem};

/// `negotiation`: our header, the peer's, and the version or the reason why there is none.
pub(super) fn check(vector: &Vector) -> Checked {
    let value = vector.value()?;
    let member = |name: &str| {
        let member = value.get(name);
        member.ok_or_else(|| vector.malformed(format!("value has no {name}")))
    };
    let ours = header(member("us")?)?;
    let peers = header(member("peer")?)?;
    let bytes = to_vec(&peers).map_err(|error| Problem::differs("header", "an encoding", error))?;
    let outcome = match Header::decode(&bytes) {
        Ok(peers) => negotiate(&ours, &peers)
            .map(|version| version.number())
            .map_err(|error| name(&error)),
        Err(HeaderError::TooLong(_)) => Err("header_too_long"),
        Err(error) => return Err(Problem::differs("header", "a readable one", error)),
    };
    let found = match outcome {
        Ok(version) => json!({"version": version}),
        Err(name) => json!({"error": name}),
    };
    compare::json("outcome", member("result")?, &found)
}

/// The header that a list of entries stands for.
pub(super) fn header(entries: &Json) -> Checked<Header> {
    let malformed = || {
        let found = compare::short(entries);
        Problem::Malformed(format!("expected a list of integers, found {found}"))
    };
    let items = items_of(entries).ok_or_else(malformed)?;
    let entries = items.iter().map(Json::as_i64).collect::<Option<_>>();
    Ok(Header::from_entries(entries.ok_or_else(malformed)?))
}

/// What the vectors call an error.
fn name(error: &NegotiationError) -> &'static str {
    match error {
        NegotiationError::SeveralProtocols => "multiple_protocols",
        NegotiationError::OwnProtocolUnknown => "own_protocol_unknown",
        NegotiationError::OtherProtocol(_) | NegotiationError::OwnProtocolDiffers => {
            "different_protocol"
        }
        NegotiationError::NoCommonVersion { .. } => "no_common_version",
        _ => "another error",
    }
}
