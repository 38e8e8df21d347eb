//! One end of a socket that speaks frames, and waits for them.

use std::collections::{BTreeMap, VecDeque};
use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::time::Duration;

use rpc_wire::{Message, frame};

/// Only a broken program takes that long.
const PATIENCE: Duration = Duration::from_secs(30);

pub(super) struct Wire {
    stream: TcpStream,
    unread: Vec<u8>,
    /// Bodies of responses that came before they were asked for, by the query's id.
    responses: BTreeMap<i64, VecDeque<Vec<u8>>>,
}

impl Wire {
    pub(super) fn new(stream: TcpStream) -> Self {
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_nodelay(true).unwrap();
        Self {
            stream,
            unread: Vec::new(),
            responses: BTreeMap::new(),
        }
    }

    /// Sends a frame with this body. Whether the peer still reads is its business.
    pub(super) fn send(&mut self, body: &[u8]) {
        let length = (body.len() as u64).to_le_bytes();
        let _sent = self.stream.write_all(&[&length, body].concat());
    }

    /// Ends this half of the stream.
    pub(super) fn end(&mut self) {
        // It may be gone already.
        let _ended = self.stream.shutdown(Shutdown::Write);
    }

    /// The next frame's body that is no heartbeat; `None` at the end of the stream, be it abrupt.
    #[track_caller]
    pub(super) fn next(&mut self) -> Option<Vec<u8>> {
        loop {
            if let Some((body, rest)) = frame::split(&self.unread, usize::MAX).unwrap() {
                let body = body.to_vec();
                self.unread = rest.to_vec();
                match body.as_slice() {
                    [0] => continue,
                    _ => return Some(body),
                }
            }
            let mut some = [0; 65_536];
            match self.stream.read(&mut some) {
                Ok(0) => return None,
                Ok(count) => self.unread.extend_from_slice(&some[..count]),
                // A client that has failed does not read what is left.
                Err(error) if error.kind() == ErrorKind::ConnectionReset => return None,
                Err(error) => panic!("nothing came: {error}"),
            }
        }
    }

    /// The next frame's body, which is no response; those are kept.
    #[track_caller]
    pub(super) fn next_but_responses(&mut self) -> Option<Vec<u8>> {
        loop {
            let body = self.next()?;
            match Message::decode(&body) {
                Ok(Message::Response(response)) => {
                    let id = response.header.id.get();
                    self.responses.entry(id).or_default().push_back(body);
                }
                _ => return Some(body),
            }
        }
    }

    /// The next response to the query with this id.
    #[track_caller]
    pub(super) fn next_response(&mut self, id: i64) -> Vec<u8> {
        loop {
            let kept = self.responses.get_mut(&id).and_then(VecDeque::pop_front);
            if let Some(body) = kept {
                return body;
            }
            let body = self.next().expect("the stream ended");
            let Ok(Message::Response(response)) = Message::decode(&body) else {
                panic!("{body:02x?} instead of a response to {id}");
            };
            let id = response.header.id.get();
            self.responses.entry(id).or_default().push_back(body);
        }
    }

    /// Takes what is left until the end of the stream, and returns what was no response and no
    /// heartbeat.
    #[track_caller]
    pub(super) fn rest(&mut self) -> Vec<Vec<u8>> {
        std::iter::from_fn(|| self.next_but_responses()).collect()
    }
}
