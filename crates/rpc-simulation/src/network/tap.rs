//! Understands what a client's end sends and gets, independently of the code under test: from the
//! bytes.

use bin_prot::{BinRead as _, Reader};
use rpc_wire::stream::{Initial, StreamQuery, StreamResponse};
use rpc_wire::{Message, frame};

use crate::fact::Fact;
use crate::names::{LinkName, SubscriptionName};
use crate::wire_types::Question;

pub(super) struct Tap {
    link: LinkName,
    sent: Bodies,
    received: Bodies,
}

/// Puts frames together.
#[derive(Default)]
struct Bodies {
    bytes: Vec<u8>,
    /// The first frame is the header of the handshake, and no message.
    header_seen: bool,
}

impl Tap {
    pub(super) fn new(link: LinkName) -> Self {
        Self {
            link,
            sent: Bodies::default(),
            received: Bodies::default(),
        }
    }

    pub(super) fn sent(&mut self, bytes: &[u8], mut tell: impl FnMut(Fact)) {
        let link = self.link;
        self.sent.push(bytes, |message| {
            let Message::Query(query) = message else {
                return;
            };
            let id = query.header.id.get();
            let Ok(payload) = query.data.bytes() else {
                return;
            };
            match StreamQuery::bin_read(&mut Reader::new(payload)) {
                Ok(StreamQuery::Abort) => tell(Fact::AbortSent(link, id)),
                Ok(StreamQuery::Query(data)) => {
                    let question = data.bytes().ok().map(bin_prot::from_slice::<Question>);
                    if let Some(Ok(question)) = question {
                        let subscription = SubscriptionName(question.subscription);
                        tell(Fact::QuerySent(link, subscription, id));
                    }
                }
                // A query for the menu.
                Err(_) => {}
            }
        });
    }

    pub(super) fn received(&mut self, bytes: &[u8], mut tell: impl FnMut(Fact)) {
        let link = self.link;
        self.received.push(bytes, |message| {
            let Message::Response(response) = message else {
                return;
            };
            let id = response.header.id.get();
            let payload = response.result.ok().and_then(|data| data.bytes().ok());
            let Some(payload) = payload else {
                tell(Fact::StreamOver(link, id));
                return;
            };
            match StreamResponse::bin_read(&mut Reader::new(payload)) {
                Ok(StreamResponse::Ok(_)) => tell(Fact::UpdateArrived(link, id)),
                Ok(StreamResponse::Eof) => tell(Fact::StreamOver(link, id)),
                // An initial response begins otherwise. So does an answer that is no stream's.
                Err(_) => match Initial::split(payload) {
                    Ok((Initial::Ok, _)) => tell(Fact::StreamAgreed(link, id)),
                    Ok((Initial::Error, _)) => tell(Fact::StreamOver(link, id)),
                    Err(_) => {}
                },
            }
        });
    }
}

impl Bodies {
    fn push(&mut self, bytes: &[u8], mut see: impl FnMut(Message<'_>)) {
        self.bytes.extend_from_slice(bytes);
        let mut seen = 0;
        while let Ok(Some((body, rest))) = frame::split(&self.bytes[seen..], frame::DEFAULT_LIMIT) {
            seen = self.bytes.len() - rest.len();
            if !self.header_seen {
                self.header_seen = true;
            } else if let Ok(message) = Message::decode(body) {
                see(message);
            }
        }
        self.bytes.drain(..seen);
    }
}
