//! One message as a JSON object, for machines.

use rpc_wire::conversation::{
    Content, Direction, Event, Query, QueryForm, Response, ResponseItem, Rpc,
};
use serde_json::{Map, Value, json};

use super::output::Circumstances;
use super::payload::Shown;
use super::text::shown;

/// Longer texts are cut.
const TEXT_LIMIT: usize = 10_000;

/// The object. Absent is what the capture does not tell.
pub(super) fn object(event: &Event, around: Circumstances<'_>, payload: Option<Shown>) -> Value {
    let mut object = Object(Map::new());
    if let Some(connection) = around.connection {
        object.put("connection", connection.number);
        object.put("client", connection.client);
        object.put("server", connection.server);
    }
    if let Some(at) = around.at {
        object.put("time", at);
    }
    object.put(
        "from",
        match event.direction {
            Direction::FromClient => "client",
            Direction::FromServer => "server",
        },
    );
    object.put("offset", event.offset);
    object.put("frame_bytes", event.frame_bytes);
    object.content(&event.content, payload);
    Value::Object(object.0)
}

struct Object(Map<String, Value>);

impl Object {
    fn put(&mut self, key: &str, value: impl Into<Value>) {
        self.0.insert(key.to_owned(), value.into());
    }

    fn content(&mut self, content: &Content, payload: Option<Shown>) {
        match content {
            Content::Header(header) => {
                self.put("kind", "header");
                self.put("versions", header.versions().collect::<Vec<_>>());
            }
            Content::Negotiated(version) => {
                self.put("kind", "negotiated");
                self.put("version", version.number());
            }
            Content::Metadata(metadata) => {
                self.put("kind", "metadata");
                let identification = metadata.identification.as_ref();
                self.put("identification", identification.map(|bytes| text(bytes)));
                let menu = metadata.menu.as_ref().map(|menu| {
                    let entry = |rpc: &rpc_wire::Description| {
                        json!({"name": text(rpc.name.as_bytes()), "version": rpc.version})
                    };
                    menu.descriptions().map(entry).collect::<Vec<_>>()
                });
                self.put("menu", menu);
            }
            Content::Heartbeat => self.put("kind", "heartbeat"),
            Content::Query(query) => self.query(query, payload),
            Content::Response(response) => self.response(response, payload),
            Content::CloseStarted => self.put("kind", "close_started"),
            Content::CloseReason(reason) => {
                self.put("kind", "close_reason");
                self.put("reason", text(reason.to_string().as_bytes()));
            }
            _ => self.put("kind", "unknown"),
        }
    }

    fn query(&mut self, query: &Query, payload: Option<Shown>) {
        self.put("kind", "query");
        self.put(
            "form",
            match query.form {
                QueryForm::Plain => "plain",
                QueryForm::Stream => "stream",
                QueryForm::Abort => "abort",
            },
        );
        self.rpc(&query.rpc);
        self.put("id", query.id.get());
        if !query.metadata.is_empty() {
            let entries = query.metadata.iter();
            let entries: Vec<_> = entries
                .map(|(key, value)| json!([key, text(value)]))
                .collect();
            self.put("metadata", entries);
        }
        match &query.payload {
            Ok(bytes) => self.payload(bytes, payload),
            Err(overlong) => self.put("malformed", overlong.to_string()),
        }
    }

    fn response(&mut self, response: &Response, payload: Option<Shown>) {
        self.put("kind", "response");
        if let Some(query) = &response.query {
            self.rpc(&query.rpc);
            self.put("query_offset", query.offset);
        }
        self.put("id", response.id.get());
        let (item, bytes) = match &response.item {
            ResponseItem::Answer(bytes) => ("answer", Some(bytes)),
            ResponseItem::Initial(bytes) => ("initial", Some(bytes)),
            ResponseItem::InitialError(bytes) => ("initial_error", Some(bytes)),
            ResponseItem::Update { number, payload } => {
                self.put("number", *number);
                ("update", Some(payload))
            }
            ResponseItem::End => ("end", None),
            ResponseItem::Error(error) => {
                self.put("error", text(error.to_string().as_bytes()));
                ("error", None)
            }
            ResponseItem::Malformed(malformed) => {
                self.put("malformed", malformed.to_string());
                ("malformed", None)
            }
            _ => ("unknown", None),
        };
        self.put("item", item);
        if let Some(bytes) = bytes {
            self.payload(bytes, payload);
        }
    }

    fn rpc(&mut self, rpc: &Rpc) {
        match rpc {
            Rpc::Named(description) => {
                self.put("name", text(description.name.as_bytes()));
                self.put("version", description.version);
            }
            Rpc::Rank(rank) => self.put("rank", *rank),
        }
    }

    fn payload(&mut self, bytes: &[u8], payload: Option<Shown>) {
        self.put("payload_bytes", bytes.len());
        match payload {
            None | Some(Shown::Nothing) => {}
            Some(Shown::Hex(digits) | Shown::NoShape(digits)) => self.put("payload", digits),
            Some(Shown::Value(value)) => self.put("value", value.to_json()),
            Some(Shown::Misfit { error, bytes }) => {
                self.put("misfit", text(error.as_bytes()));
                self.put("payload", bytes);
            }
        }
    }
}

fn text(bytes: &[u8]) -> String {
    shown(bytes, TEXT_LIMIT)
}
