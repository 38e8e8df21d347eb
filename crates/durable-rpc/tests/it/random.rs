//! Anything may happen, in any order. The seed of a failure is printed.

use std::time::Duration;

use durable_rpc::{state, subscribe};
use tokio::time::{sleep, timeout};

use crate::checked::{Checked, label};
use crate::dispatched::{Dispatched, Outcome, Script, intact};
use crate::server::{COUNT, Server, settle};

/// A small generator (SplitMix64); prints its seed if the test panics.
struct Random {
    seed: u64,
    state: u64,
}

impl Random {
    fn new(seed: u64) -> Self {
        Self { seed, state: seed }
    }

    fn below(&mut self, limit: u64) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = self.state;
        let z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % limit
    }

    /// Zero as often as not.
    fn pause(&mut self) -> Duration {
        let odd = self.below(2);
        Duration::from_millis(odd * self.below(20))
    }

    fn script(&mut self) -> Script {
        let outcome = match self.below(6) {
            0 => Outcome::Failure,
            1 => Outcome::UserError,
            2 => Outcome::Panic,
            3 => Outcome::PanicAtOnce,
            _ => Outcome::Stream(self.below(8)),
        };
        let pause = self.pause();
        Script { outcome, pause }
    }
}

impl Drop for Random {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("the seed is {}", self.seed);
        }
    }
}

/// D-EV-1 to D-EV-5, D-MA-2 (ZD24): each attempt's events are exactly its own, in order, however the
/// consumer reads.
#[tokio::test(start_paused = true)]
async fn events_are_those_of_the_dispatches() {
    for seed in 0..300 {
        let mut random = Random::new(seed);
        let scripts: Vec<_> = (0..random.below(30)).map(|_| random.script()).collect();
        let dispatched = Dispatched::new(scripts.clone());
        let delay = random.pause();
        let subscription = subscribe(&intact(), delay, dispatched.dispatch());
        let mut events = Checked::new(subscription, delay);
        let expected: Vec<_> = scripts
            .iter()
            .enumerate()
            .flat_map(|(attempt, script)| script.events(attempt))
            .collect();
        let mut seen = Vec::new();
        while seen.len() < expected.len() {
            match random.below(3) {
                0 => sleep(random.pause()).await,
                // Time for one poll, or for a few.
                1 => {
                    let next = timeout(random.pause(), events.next());
                    seen.extend(next.await.ok().map(Option::unwrap));
                }
                _ => seen.push(events.next().await.unwrap()),
            }
        }
        let seen: Vec<_> = seen.iter().map(label).collect();
        assert_eq!(seen, expected);
        assert_eq!(dispatched.dispatches(), scripts.len());
    }
}

/// D-EV-1, D-EV-2, D-CL-1 (ZD24): over connections that are cut at any time, with a server that is up and down, and
/// a consumer that is slow. The updates of a stream are the first ones of what the callee sent.
#[tokio::test(start_paused = true)]
async fn grammar_holds_whatever_happens_to_the_server() {
    for seed in 0..60 {
        let mut random = Random::new(seed);
        let server = Server::start();
        let connection = server.durable();
        let delay = random.pause();
        let subscription = state::create(&COUNT, &connection, 42, delay);
        let mut events = Checked::new(subscription, delay);
        let chaos = tokio::spawn(cause_trouble(server, seed));
        let (mut state, mut updates, mut streams) = (0, 0, 0);
        for _ in 0..300 {
            if random.below(4) == 0 {
                sleep(random.pause()).await;
            }
            let next = timeout(random.pause() + Duration::from_millis(1), events.next());
            let Ok(event) = next.await else { continue };
            match event.expect("D-EV-4") {
                durable_rpc::Event::State(begun) => {
                    assert!(begun > state, "each stream's state is newer");
                    (state, updates, streams) = (begun, 0, streams + 1);
                }
                durable_rpc::Event::Update(update) => {
                    assert_eq!(update, state + updates, "none is missing");
                    updates += 1;
                }
                durable_rpc::Event::RpcError(error) => assert_eq!(error, "no"),
                _ => {}
            }
        }
        assert!(streams > 0);
        drop(events);
        chaos.abort();
        settle().await;
        let open = connection.with(async |connection| connection.open_queries());
        // The server may be down just now.
        assert_eq!(open.await.unwrap_or(0), 0, "all was aborted");
    }
}

/// Answers queries with streams, errors and silence, and cuts connections.
async fn cause_trouble(mut server: Server, seed: u64) {
    let mut random = Random::new(!seed);
    let mut state = 0;
    loop {
        sleep(random.pause()).await;
        match random.below(8) {
            0 => {
                server.stop();
                sleep(random.pause()).await;
                server.restart();
                continue;
            }
            1 => {
                server.cut();
                continue;
            }
            _ => {}
        }
        let call = timeout(random.pause(), server.call());
        let Ok(mut call) = call.await else { continue };
        match random.below(6) {
            0 => {
                let cut = async {
                    sleep(random.pause()).await;
                    server.cut();
                };
                tokio::join!(call.cancelled(), cut);
            }
            1 if call.is_cancelled() => {}
            1 => call.refuse("no"),
            _ => {
                state += 1000;
                let feed = call.accept(state);
                for update in 0..random.below(10) as i64 {
                    sleep(random.pause()).await;
                    if feed.is_aborted() {
                        break;
                    }
                    feed.send(state + update);
                }
                if random.below(2) == 0 {
                    server.cut();
                }
            }
        }
    }
}
