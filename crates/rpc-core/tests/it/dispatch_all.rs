//! Many one-way messages sent together are sent as if each had been dispatched alone.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex};

use bin_prot::WriteError;
use rpc_core::connection::{Config, MetadataHook};
use rpc_core::payload::{Codec, Undecodable};
use rpc_core::{Connection, DispatchAllError, DispatchError, OneWay, TracingEvent};
use rpc_wire::handshake::PeerMetadata;
use rpc_wire::{DescriptionRef, Menu, QueryId, QueryMetadata};

use crate::pair::{CAPACITY, pair, settle};
use crate::peer::Peer;
use crate::rpcs::{ECHO, NOTE};
use crate::trace::Trace;

/// Texts as they are, some of which have no encoding.
enum Moody {}

impl Codec<String> for Moody {
    fn size(text: &String) -> usize {
        text.len()
    }

    fn write(text: &String, buffer: &mut Vec<u8>) -> Result<(), WriteError> {
        buffer.extend_from_slice(text.as_bytes());
        match text.as_str() {
            "fails" => return Err(WriteError::Invalid("no")),
            "lies" => buffer.push(0),
            "panics" => panic!("on purpose"),
            _ => {}
        }
        Ok(())
    }

    fn read(_: &[u8]) -> Result<String, Undecodable> {
        Err(Undecodable::new("nobody reads this"))
    }
}

static MOODY: OneWay<String, Moody> = OneWay::new("moody", 1);

/// Largest body of a message, where there is a limit.
const LIMIT: usize = 30_000;

/// Messages of these sizes, which no two have in common otherwise.
fn texts(sizes: impl IntoIterator<Item = usize>) -> Vec<String> {
    let sizes = sizes.into_iter().enumerate();
    sizes.map(|(n, size)| format!("{n:size$}")).collect()
}

/// What became of messages.
#[derive(Debug, PartialEq)]
struct Outcome {
    sent: usize,
    error: Option<String>,
    frames: Vec<Vec<u8>>,
    events: Vec<TracingEvent>,
    hooked: Vec<i64>,
}

/// How a connection and its peer are, when messages are sent.
#[derive(Clone, Copy, Debug)]
struct Setting {
    version: i64,
    menu: bool,
    listener: bool,
    hook: bool,
    metadata: bool,
    /// Queries before the messages, so that their ids have other forms.
    before: usize,
}

const PLAIN: Setting = Setting {
    version: 11,
    menu: false,
    listener: false,
    hook: false,
    metadata: false,
    before: 0,
};

impl Setting {
    async fn open(self) -> (Connection, Peer) {
        let (mut peer, io) = Peer::new(CAPACITY);
        let menu = self.menu.then(|| Menu::new([MOODY.description()]).unwrap());
        let own = PeerMetadata {
            identification: None,
            menu,
        };
        let (connection, ()) = tokio::join!(
            Connection::create(io, Config::default().max_message_size(LIMIT)),
            peer.shake_hands(self.version, own),
        );
        let connection = connection.unwrap();
        let before = std::iter::repeat_n(String::new(), self.before);
        MOODY.dispatch_all(&connection, before).unwrap();
        for _ in 0..self.before {
            peer.expect_frame().await;
        }
        (connection, peer)
    }

    /// Sends messages; all that is to be known of it.
    async fn outcome(
        self,
        send: impl FnOnce(&Connection) -> Result<(), DispatchAllError>,
        messages: usize,
    ) -> Outcome {
        let (connection, mut peer) = self.open().await;
        let trace = self.listener.then(|| Trace::of(&connection));
        let hooked = Arc::new(Mutex::new(Vec::new()));
        if self.hook {
            let hooked = hooked.clone();
            let hook = move |_: DescriptionRef<'_>, id: QueryId| {
                hooked.lock().unwrap().push(id.get());
                Some(id.to_string())
            };
            let hook = MetadataHook::new().when_sending(hook);
            connection.set_metadata_hook(0, hook).unwrap();
        }
        let metadata = QueryMetadata::new().with(1, "more");
        let result = match self.metadata {
            true => send(&connection.with_metadata(metadata)),
            false => send(&connection),
        };
        let (sent, error) = match result {
            Ok(()) => (messages, None),
            Err(unsent) => (unsent.sent, Some(unsent.error.to_string())),
        };
        let mut frames = Vec::new();
        for _ in 0..sent {
            frames.push(peer.expect_frame().await);
        }
        let events = trace.map(|trace| trace.take()).unwrap_or_default();
        connection.close();
        peer.expect_end().await;
        let hooked = std::mem::take(&mut *hooked.lock().unwrap());
        Outcome {
            sent,
            error,
            frames,
            events,
            hooked,
        }
    }

    /// Sent together, the messages become what they become alone. How many are sent.
    async fn check(self, messages: &[String]) -> usize {
        let alone = |connection: &Connection| {
            for (sent, message) in messages.iter().enumerate() {
                let result = MOODY.dispatch(connection, message);
                result.map_err(|error| DispatchAllError { sent, error })?;
            }
            Ok(())
        };
        let alone = self.outcome(alone, messages.len()).await;
        let borrowed = |connection: &Connection| MOODY.dispatch_all(connection, messages);
        let owned =
            |connection: &Connection| MOODY.dispatch_all(connection, messages.iter().cloned());
        let together = self.outcome(borrowed, messages.len()).await;
        assert_eq!(together, alone, "{self:?}");
        let together = self.outcome(owned, messages.len()).await;
        assert_eq!(together, alone, "{self:?}");
        alone.sent
    }
}

/// C-DI-1, C-DI-8: however many they are, and however large.
#[tokio::test(start_paused = true)]
async fn bytes_are_those_of_single_dispatches() {
    for count in [0, 1, 2, 63, 64, 65, 128, 300] {
        let messages = texts((0..count).map(|n| n % 7));
        assert_eq!(PLAIN.check(&messages).await, count);
    }
    let large = [10, 20_000, 127, 128, 16_384, 10, 10, 25_000, 25_000, 1];
    let messages = texts(large.into_iter().chain([3; 100]));
    for (version, menu) in [(1, false), (2, false), (8, false), (11, false), (11, true)] {
        for metadata in [false, true] {
            let setting = Setting {
                version,
                menu,
                metadata,
                ..PLAIN
            };
            assert_eq!(setting.check(&messages).await, messages.len());
        }
    }
    let setting = Setting {
        menu: true,
        before: 0x8000 - 40,
        ..PLAIN
    };
    assert_eq!(setting.check(&messages).await, messages.len());
}

/// C-DI-5, R-OW-20: those before it have been sent, and those behind it are not.
#[tokio::test(start_paused = true)]
async fn message_that_cannot_be_sent_is_the_last() {
    let large = "x".repeat(LIMIT);
    for bad in ["fails", "lies", &large] {
        for at in [0, 1, 63, 64, 100] {
            for (listener, hook) in [(false, false), (true, false), (false, true), (true, true)] {
                let setting = Setting {
                    listener,
                    hook,
                    ..PLAIN
                };
                let mut messages = texts([5; 150]);
                messages[at] = bad.to_owned();
                assert_eq!(setting.check(&messages).await, at);
            }
        }
    }
}

/// T-C1, C-MD-3: hooks and listeners are called for each message.
#[tokio::test(start_paused = true)]
async fn listeners_and_hooks_learn_of_each_message() {
    for (listener, hook) in [(true, false), (false, true), (true, true)] {
        let setting = Setting {
            listener,
            hook,
            ..PLAIN
        };
        let messages = texts((0..150).map(|n| n * n % 1000));
        assert_eq!(setting.check(&messages).await, 150);
    }
}

/// Who begins to listen while messages are taken hears of those that are not sent yet.
#[tokio::test(start_paused = true)]
async fn listener_that_comes_meanwhile_hears_of_what_is_sent_afterwards() {
    let (connection, _peer) = PLAIN.open().await;
    let mut trace = None;
    let messages = texts([5; 100]);
    let messages = messages.iter().enumerate().map(|(n, message)| {
        if n == 70 {
            trace = Some(Trace::of(&connection));
        }
        message
    });
    MOODY.dispatch_all(&connection, messages).unwrap();
    let ids: Vec<_> = trace.unwrap().take().iter().map(|e| e.id.get()).collect();
    let both: Vec<_> = (65..=100).flat_map(|id| [id, id]).collect();
    assert_eq!(ids, both);
}

#[tokio::test(start_paused = true)]
async fn messages_arrive_in_order() {
    let (near, _far, notes) = pair(Config::default(), Config::default()).await;
    let messages = texts((0..5000).map(|n| n * 31 % 200));
    NOTE.dispatch_all(&near, &messages).unwrap();
    NOTE.dispatch(&near, &"alone".to_owned()).unwrap();
    NOTE.dispatch_all(&near, messages.clone()).unwrap();
    ECHO.dispatch(&near, &"done".to_owned()).await.unwrap();
    let expected = [messages.as_slice(), &["alone".to_owned()], &messages].concat();
    assert_eq!(notes.take(), expected);
}

/// C-BP-7: what is said to be sent is sent, and an iterator without end is not asked for ever.
#[tokio::test(start_paused = true)]
async fn full_output_ends_it_where_it_ends_single_dispatches() {
    let (mut peer, io) = Peer::new(CAPACITY);
    let config = Config::default().max_buffered_output(100_000);
    let (connection, ()) = tokio::join!(
        Connection::create(io, config),
        peer.shake_hands(11, PeerMetadata::default()),
    );
    let connection = connection.unwrap();
    let message = "x".repeat(1000);
    let mut alone = 0;
    let full = loop {
        match MOODY.dispatch(&connection, &message) {
            Ok(()) => alone += 1,
            Err(error) => break error,
        }
    };
    let DispatchError::OutputFull { buffered } = full else {
        panic!("{full}");
    };
    for _ in 0..alone {
        peer.expect_frame().await;
    }
    settle().await;
    let mut taken = 0;
    let messages = std::iter::repeat_with(|| {
        taken += 1;
        &message
    });
    let unsent = MOODY.dispatch_all(&connection, messages).unwrap_err();
    let DispatchError::OutputFull { buffered: together } = unsent.error else {
        panic!("{unsent}");
    };
    // The later ids are longer.
    assert!(unsent.sent.abs_diff(alone) <= 1 && together.abs_diff(buffered) < 2000);
    assert!(taken <= unsent.sent + 64, "{taken}");
    // Nothing is sent while it is full.
    let again = MOODY.dispatch_all(&connection, [&message]).unwrap_err();
    assert_eq!(again.sent, 0);
    for _ in 0..unsent.sent {
        peer.expect_query().await;
    }
    connection.flushed().await;
    MOODY.dispatch_all(&connection, [&message]).unwrap();
    peer.expect_query().await;
    connection.close();
    peer.expect_end().await;
}

/// C-DI-3, C-CL-4.
#[tokio::test(start_paused = true)]
async fn nothing_is_sent_once_the_connection_is_closed() {
    let (connection, mut peer) = PLAIN.open().await;
    let messages = texts([5; 200]);
    let closing = messages.iter().enumerate().map(|(n, message)| {
        if n == 150 {
            connection.close();
        }
        message
    });
    let unsent = MOODY.dispatch_all(&connection, closing).unwrap_err();
    assert_eq!(unsent.sent, 128);
    assert!(matches!(unsent.error, DispatchError::ConnectionClosed(_)));
    let unsent = MOODY.dispatch_all(&connection, &messages).unwrap_err();
    assert_eq!(unsent.to_string(), "0 messages were sent, and no more");
    // There is nothing that could not be sent.
    MOODY.dispatch_all(&connection, &messages[..0]).unwrap();
    for _ in 0..128 {
        peer.expect_query().await;
    }
    peer.expect_end().await;
}

/// Whether the iterator panics or the encoding of a message, those before it are sent, also if
/// nothing else makes the connection look at its output.
#[tokio::test(start_paused = true)]
async fn messages_before_a_panic_are_sent() {
    for at in [0, 1, 63, 64, 100] {
        for in_encoder in [false, true] {
            let (connection, mut peer) = PLAIN.open().await;
            settle().await;
            let mut messages = texts([5; 150]);
            if in_encoder {
                messages[at] = "panics".to_owned();
            }
            let yielding = messages.iter().enumerate().map(|(n, message)| {
                assert!(in_encoder || n != at, "on purpose");
                message
            });
            let sending = || MOODY.dispatch_all(&connection, yielding);
            catch_unwind(AssertUnwindSafe(sending)).unwrap_err();
            for message in &messages[..at] {
                assert_eq!(peer.expect_query().await.payload, message.as_bytes());
            }
            // The connection is as it was.
            MOODY.dispatch(&connection, &"after".to_owned()).unwrap();
            assert_eq!(peer.expect_query().await.payload, b"after");
            connection.close();
            peer.expect_end().await;
        }
    }
}

/// What the iterator sends is sent at once: before what it yields, and what it has just yielded.
#[tokio::test(start_paused = true)]
async fn iterator_may_send_on_the_same_connection() {
    let (connection, mut peer) = PLAIN.open().await;
    let messages = texts([5; 3]);
    let sending = messages.iter().inspect(|message| {
        MOODY
            .dispatch(&connection, &format!("before {message}"))
            .unwrap();
        let nested = ["nested".to_owned()];
        MOODY.dispatch_all(&connection, nested).unwrap();
    });
    MOODY.dispatch_all(&connection, sending).unwrap();
    let mut expected = Vec::new();
    for message in &messages {
        expected.extend([format!("before {message}"), "nested".to_owned()]);
    }
    expected.extend(messages);
    for (id, message) in (1..).zip(expected) {
        let asked = peer.expect_query().await;
        assert_eq!((asked.id.get(), asked.payload), (id, message.into_bytes()));
    }
}

#[tokio::test(start_paused = true)]
async fn iterator_is_not_asked_after_its_end() {
    let (connection, mut peer) = PLAIN.open().await;
    for count in [0, 1, 64, 65] {
        let mut yielded = 0;
        let once = std::iter::from_fn(|| {
            yielded += 1;
            assert!(yielded <= count + 1, "asked again");
            (yielded <= count).then(|| "x".to_owned())
        });
        MOODY.dispatch_all(&connection, once).unwrap();
        for _ in 0..count {
            peer.expect_query().await;
        }
    }
}
