//! What is shown of payloads: their bytes, or their values where the types are known.

use std::collections::HashSet;
use std::sync::Arc;

use bin_prot::dynamic::Value;
use bin_prot::from_slice;
use rpc_wire::Description;
use rpc_wire::conversation::{Query, QueryForm, Response, ResponseItem, Rpc};
use rpc_wire::handshake::PeerMetadata;
use rpc_wire::stream::StreamQuery;

use super::shapes::{PayloadType, RpcTypes, Shapes, Signature};
use super::text::hex;

/// What is to be shown of payloads beside their sizes.
#[derive(Debug)]
pub(crate) enum Payloads {
    /// Nothing.
    Sizes,
    /// Their bytes.
    Hex,
    /// Their values.
    Values(Shapes),
}

/// What is shown of one payload beside its size.
#[derive(Debug)]
pub(super) enum Shown {
    Nothing,
    /// Hex digits that were asked for.
    Hex(String),
    /// Hex digits, since nobody said what they mean.
    NoShape(String),
    Value(Value),
    /// Hex digits, since they are not what somebody said.
    Misfit {
        error: String,
        bytes: String,
    },
}

impl Payloads {
    /// The RPCs whose payloads are no items of streams, whatever they look like.
    pub(super) fn plain_rpcs(&self) -> Arc<HashSet<Description>> {
        Arc::new(match self {
            Self::Sizes | Self::Hex => HashSet::new(),
            Self::Values(shapes) => shapes.plain_rpcs(),
        })
    }

    /// The RPCs of which the menu of a peer says otherwise than the shapes, and what.
    pub(super) fn contradictions(&self, metadata: &PeerMetadata) -> Vec<(String, String)> {
        let (Self::Values(shapes), Some(menu)) = (self, &metadata.menu) else {
            return Vec::new();
        };
        let entries = menu.entries().iter();
        let contradictions = entries.filter_map(|entry| {
            let rpc = &entry.description;
            let types = shapes.get(rpc)?;
            let contradiction = types.contradiction(&entry.digests)?;
            Some((rpc.to_string(), contradiction))
        });
        contradictions.collect()
    }

    /// What is shown of a query's payload, if it has one.
    pub(super) fn of_query(&self, query: &Query) -> Option<Shown> {
        let payload = query.payload.as_ref().ok()?;
        if query.form == QueryForm::Abort {
            return None;
        }
        Some(
            self.show(&query.rpc, payload, |types| match (types, query.form) {
                (Signature::Plain { query, .. }, QueryForm::Plain) => Ok(query),
                (Signature::OneWay { message }, QueryForm::Plain) => Ok(message),
                (Signature::Stream { query, .. }, QueryForm::Stream) => Ok(query),
                (Signature::Stream { .. }, _) => Err("no query of a stream"),
                (Signature::Plain { .. } | Signature::OneWay { .. }, _) => {
                    Err("a query of a stream")
                }
            }),
        )
    }

    /// What is shown of a response's payload, if it has one.
    pub(super) fn of_response(&self, response: &Response) -> Option<Shown> {
        let (ResponseItem::Answer(payload)
        | ResponseItem::Initial(payload)
        | ResponseItem::InitialError(payload)
        | ResponseItem::Update { payload, .. }) = &response.item
        else {
            return None;
        };
        let Some(query) = &response.query else {
            return Some(self.show_unknown(payload));
        };
        Some(
            self.show(&query.rpc, payload, |types| match (types, &response.item) {
                (Signature::Plain { response, .. }, ResponseItem::Answer(_)) => Ok(response),
                (Signature::Stream { initial, .. }, ResponseItem::Initial(_)) => Ok(initial),
                (Signature::Stream { error, .. }, ResponseItem::InitialError(_)) => Ok(error),
                (Signature::Stream { update, .. }, ResponseItem::Update { .. }) => Ok(update),
                (Signature::OneWay { .. }, _) => Err("an answer"),
                (Signature::Plain { .. }, _) => Err("an item of a stream"),
                (Signature::Stream { .. }, _) => Err("no item of a stream"),
            }),
        )
    }

    /// `of` picks the type, or says what the payload is instead.
    fn show(
        &self,
        rpc: &Rpc,
        payload: &[u8],
        of: impl FnOnce(&RpcTypes) -> Result<&PayloadType, &'static str>,
    ) -> Shown {
        let (Self::Values(shapes), Rpc::Named(rpc)) = (self, rpc) else {
            return self.show_unknown(payload);
        };
        let Some(types) = shapes.get(rpc) else {
            return self.show_unknown(payload);
        };
        let value =
            match of(types) {
                Ok(PayloadType { ty, .. }) => ty.from_slice(payload).map_err(|error| {
                    match from_slice::<StreamQuery<'_>>(payload) {
                        Ok(_) => format!("{error} (it looks like the query of a stream)"),
                        Err(_) => error.to_string(),
                    }
                }),
                Err(found) => Err(format!("{found}, but it is {}", types.kind())),
            };
        match value {
            Ok(value) => Shown::Value(value),
            Err(error) => Shown::Misfit {
                error,
                bytes: hex(payload),
            },
        }
    }

    /// What is shown of a payload of which nothing is known.
    fn show_unknown(&self, payload: &[u8]) -> Shown {
        match self {
            Self::Sizes => Shown::Nothing,
            Self::Hex => Shown::Hex(hex(payload)),
            Self::Values(_) => Shown::NoShape(hex(payload)),
        }
    }
}
