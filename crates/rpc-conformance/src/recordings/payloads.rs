//! The users' values, where the callee's menu tells their digests and a vector describes a type
//! with such a digest.

use bin_prot::dynamic::Type;
use rpc_wire::conversation::{Content, Event, Query, QueryForm, ResponseItem, Rpc};
use rpc_wire::{RpcDigests, ShapeDigest};

use super::Spoken;
use crate::compare;
use crate::report::{Checked, Problem};
use crate::types::Types;

pub(super) fn check(this: &Spoken<'_>, opposite: &Spoken<'_>, types: &Types) -> Checked {
    let with_digest = |digest: Option<ShapeDigest>| types.with_digest(digest?.0);
    for (_, event) in &this.frames {
        let checked = match &event.content {
            Content::Query(query) => {
                let digests = digests(opposite, &query.rpc);
                let ty = with_digest(digests.and_then(query_digest));
                match check_query(query, digests, ty) {
                    // Nobody could answer that with a value; an error, or nothing, is right.
                    Err(_) if !has_value(opposite, event) => Ok(()),
                    checked => checked,
                }
            }
            Content::Response(response) => {
                let rpc = response.query.as_ref().map(|query| &query.rpc);
                let digests = rpc.and_then(|rpc| digests(this, rpc));
                let payload = item(&response.item, digests);
                match payload
                    .and_then(|(digest, payload)| Some((with_digest(Some(digest))?, payload)))
                {
                    Some((ty, payload)) => check_value(ty, payload),
                    None => Ok(()),
                }
            }
            _ => Ok(()),
        };
        checked.map_err(|problem| problem.within(this.place(event)))?;
    }
    Ok(())
}

/// What the callee's menu tells of an RPC.
fn digests(callee: &Spoken<'_>, rpc: &Rpc) -> Option<RpcDigests> {
    let Rpc::Named(description) = rpc else {
        return None;
    };
    let menu = callee.metadata()?.menu.as_ref()?;
    let rank = menu.rank(description.as_ref().as_ref())?;
    Some(menu.entries().get(rank)?.digests)
}

fn query_digest(digests: RpcDigests) -> Option<ShapeDigest> {
    match digests {
        RpcDigests::Rpc { query, .. } | RpcDigests::StreamingRpc { query, .. } => Some(query),
        RpcDigests::OneWay { msg } => Some(msg),
        RpcDigests::Unknown => None,
    }
}

/// Whether a query was answered with a value.
fn has_value(callee: &Spoken<'_>, query: &Event) -> bool {
    callee.frames.iter().any(|(_, event)| match &event.content {
        Content::Response(response) => {
            let is_its = response
                .query
                .as_ref()
                .is_some_and(|answered| answered.offset == query.offset);
            is_its && !matches!(response.item, ResponseItem::Error(_))
        }
        _ => false,
    })
}

fn check_query(query: &Query, digests: Option<RpcDigests>, ty: Option<&Type>) -> Checked {
    match (query.form, digests, &query.payload) {
        (QueryForm::Plain, Some(RpcDigests::StreamingRpc { .. }), _) => Err(Problem::differs(
            "payload",
            "a query of a stream",
            "another",
        )),
        (QueryForm::Plain | QueryForm::Stream, _, Ok(payload)) => {
            ty.map_or(Ok(()), |ty| check_value(ty, payload))
        }
        _ => Ok(()),
    }
}

/// The digest and the bytes of the value in a response.
fn item(item: &ResponseItem, digests: Option<RpcDigests>) -> Option<(ShapeDigest, &[u8])> {
    Some(match (item, digests?) {
        (ResponseItem::Answer(payload), RpcDigests::Rpc { response, .. }) => (response, payload),
        (
            ResponseItem::Initial(payload),
            RpcDigests::StreamingRpc {
                initial_response, ..
            },
        ) => (initial_response, payload),
        (ResponseItem::InitialError(payload), RpcDigests::StreamingRpc { error, .. }) => {
            (error, payload)
        }
        (
            ResponseItem::Update { payload, .. },
            RpcDigests::StreamingRpc {
                update_response, ..
            },
        ) => (update_response, payload),
        _ => return None,
    })
}

fn check_value(ty: &Type, payload: &[u8]) -> Checked {
    let value = ty.from_slice(payload);
    let value = value.map_err(|error| Problem::differs("payload", "a value of its type", error))?;
    let written = ty.to_vec(&value);
    let written = written.map_err(|error| Problem::differs("payload", "an encoding", error))?;
    compare::bytes("payload", payload, &written)
}
