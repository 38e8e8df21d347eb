//! What queries and responses mean in the light of what came before.

use std::collections::HashSet;
use std::sync::Arc;

use bin_prot::from_slice;
use bytes::Bytes;

use super::open_queries::{OpenQueries, OpenQuery, Stage};
use super::{
    AnsweredQuery, Awaited, Cause, Malformed, Query, QueryForm, Response, ResponseItem, Rpc,
};
use crate::handshake::PeerMetadata;
use crate::stream::{self, Initial, StreamQuery, StreamResponse};
use crate::{Description, OwnedQuery, OwnedResponse, RpcError, Specifier};

/// What is known of the callee when a query to it is read.
#[derive(Clone, Copy, Debug)]
pub(super) enum Callee<'a> {
    /// Its metadata.
    Metadata(&'a PeerMetadata),
    /// It has not sent its metadata yet.
    Pending,
    /// It sends none, or none was captured.
    Unknown,
}

/// Why something is not understood.
#[derive(Debug)]
pub(super) enum Obstacle {
    /// Something in the other direction is missing.
    Awaits(Awaited),
    /// It makes no sense.
    Nonsense(Cause),
}

/// Understands a query, and opens it in the table of its direction. `offset` is its place.
pub(super) fn query(
    message: &OwnedQuery,
    offset: u64,
    callee: Callee<'_>,
    plain_rpcs: &HashSet<Description>,
    open: &mut OpenQueries,
) -> Result<Query, Obstacle> {
    let menu = match callee {
        Callee::Metadata(metadata) => metadata.menu.as_ref(),
        Callee::Pending => return Err(Obstacle::Awaits(Awaited::Metadata)),
        Callee::Unknown => None,
    };
    let header = message.header();
    let (rpc, entry) = match header.specifier() {
        Specifier::Description(rpc) => {
            let entry = menu.and_then(|menu| menu.entries().get(menu.rank(rpc)?));
            (Rpc::Named(Arc::new(rpc.to_description())), entry)
        }
        Specifier::Rank(rank) => match (menu, callee) {
            (Some(menu), _) => {
                let index = usize::try_from(rank).ok();
                let listed = menu.entries().len();
                let entry = index
                    .and_then(|index| menu.entries().get(index))
                    .ok_or(Obstacle::Nonsense(Cause::UnknownRank { rank, listed }))?;
                (Rpc::Named(Arc::new(entry.description.clone())), Some(entry))
            }
            (None, Callee::Metadata(_)) => {
                return Err(Obstacle::Nonsense(Cause::RankWithoutMenu(rank)));
            }
            (None, Callee::Pending | Callee::Unknown) => (Rpc::Rank(rank), None),
        },
    };
    let payload = message.payload.bytes();
    let (form, payload) = match payload {
        Ok(payload) => {
            // The callee knows best.
            let is_stream = entry.and_then(|entry| entry.digests.is_stream());
            let is_plain = match (is_stream, &rpc) {
                (Some(is_stream), _) => !is_stream,
                (None, Rpc::Named(rpc)) => plain_rpcs.contains(&**rpc),
                (None, Rpc::Rank(_)) => false,
            };
            let (form, payload) = match is_plain {
                true => (QueryForm::Plain, payload),
                false => form_of(payload),
            };
            (form, Ok(payload))
        }
        Err(overlong) => (QueryForm::Plain, Err(overlong)),
    };
    let id = message.id();
    let stage = match form {
        QueryForm::Plain => Some(Stage::Plain),
        QueryForm::Stream => Some(Stage::Initial),
        // The stream's own query is answered, not its abort.
        QueryForm::Abort => None,
    };
    if let Some(stage) = stage {
        let query = AnsweredQuery {
            rpc: rpc.clone(),
            offset,
        };
        open.open(id, OpenQuery { query, stage });
    }
    let metadata = header.all_metadata();
    Ok(Query {
        id,
        rpc,
        form,
        metadata: metadata
            .map(|(key, payload)| (key, message.share(payload)))
            .collect(),
        payload,
    })
}

/// What a query with this payload wants, by its looks, and the user's value in it.
fn form_of(payload: Bytes) -> (QueryForm, Bytes) {
    match from_slice(&payload) {
        Ok(StreamQuery::Abort) => (QueryForm::Abort, Bytes::new()),
        Ok(StreamQuery::Query(data)) => match stream::exact(data) {
            Ok(value) => (QueryForm::Stream, payload.slice_ref(value)),
            Err(_) => (QueryForm::Plain, payload),
        },
        Err(_) => (QueryForm::Plain, payload),
    }
}

/// Understands a response, with the table of the direction that its query came from. With
/// `must_match` a query that is not there is waited for.
pub(super) fn response(
    message: &OwnedResponse,
    open: &mut OpenQueries,
    must_match: bool,
) -> Result<Response, Obstacle> {
    let id = message.header.id;
    let has_forgotten = open.has_forgotten();
    let payload = message.result.as_ref().map(|data| data.bytes());
    let Some(entry) = open.get_mut(id) else {
        if must_match && !has_forgotten {
            return Err(Obstacle::Awaits(Awaited::Query(id)));
        }
        let item = match payload {
            Ok(Ok(payload)) => ResponseItem::Answer(payload),
            Ok(Err(overlong)) => ResponseItem::Malformed(overlong.into()),
            Err(error) => ResponseItem::Error(error.clone()),
        };
        return Ok(Response {
            id,
            query: None,
            item,
        });
    };
    let query = entry.query.clone();
    let (item, next) = match payload {
        Ok(Ok(payload)) => item_of(payload, entry.stage),
        Ok(Err(overlong)) => {
            let next = (entry.stage != Stage::Plain).then_some(entry.stage);
            (ResponseItem::Malformed(overlong.into()), next)
        }
        Err(error) => {
            // It stands for one item that was too large; the stream goes on (R-SV-10, R-SV-11).
            let goes_on = entry.stage != Stage::Plain && matches!(error, RpcError::WriteError(_));
            let next = match entry.stage {
                Stage::Updates { seen } => Stage::Updates { seen },
                Stage::Plain | Stage::Initial => Stage::Updates { seen: 0 },
            };
            (ResponseItem::Error(error.clone()), goes_on.then_some(next))
        }
    };
    match next {
        Some(stage) => entry.stage = stage,
        None => open.close(id),
    }
    Ok(Response {
        id,
        query: Some(query),
        item,
    })
}

/// What an Ok response brings, and what comes next, if anything.
fn item_of(payload: Bytes, stage: Stage) -> (ResponseItem, Option<Stage>) {
    let malformed = |error| ResponseItem::Malformed(Malformed::Stream(error));
    match stage {
        Stage::Plain => (ResponseItem::Answer(payload), None),
        Stage::Initial => {
            let first = Stage::Updates { seen: 0 };
            match Initial::split(&payload) {
                Ok((Initial::Ok, value)) => {
                    (ResponseItem::Initial(payload.slice_ref(value)), Some(first))
                }
                Ok((Initial::Error, value)) => {
                    (ResponseItem::InitialError(payload.slice_ref(value)), None)
                }
                Err(error) => (malformed(error), Some(first)),
            }
        }
        Stage::Updates { seen } => {
            let read = from_slice(&payload).and_then(|response| match response {
                StreamResponse::Ok(data) => stream::exact(data).map(Some),
                StreamResponse::Eof => Ok(None),
            });
            match read {
                Ok(Some(value)) => {
                    let number = seen + 1;
                    let payload = payload.slice_ref(value);
                    let next = Stage::Updates { seen: number };
                    (ResponseItem::Update { number, payload }, Some(next))
                }
                Ok(None) => (ResponseItem::End, None),
                Err(error) => (malformed(error), Some(stage)),
            }
        }
    }
}
