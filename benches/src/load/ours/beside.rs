//! The same calls and updates, beside more and more of what is merely there.

use std::{
    convert::Infallible,
    env,
    io::{BufRead as _, BufReader},
    net::SocketAddr,
    process::{Child, Command, Stdio},
    time::Duration,
};

use anyhow::{Context as _, Result, ensure};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use super::{
    OWN, caller,
    group::{self, Shape},
    keep_in_flight, serve, subscribe_quietly, table,
};
use crate::load::{
    Sample,
    duel::{self, Tally},
};

/// Calls that are in flight meanwhile.
const IN_FLIGHT: u64 = 64;

/// Their payload.
const CALL_BYTES: usize = 32;

/// The payload of an update.
const UPDATE_BYTES: usize = 64;

/// What there is more and more of.
#[derive(Clone, Copy, Debug)]
pub enum Beside {
    /// RPCs in the callee's table and on its menu. Calls are counted.
    Implementations,
    /// Streams without updates on the connection. Calls are counted.
    Streams,
    /// Streams on the connection, all with the same updates. Updates are counted.
    Members,
    /// Connections of the same server, in a process of their own, on which nothing but heartbeats is
    /// sent. Calls are counted.
    Connections,
}

impl Beside {
    /// One round beside so many.
    ///
    /// # Errors
    /// Whatever kept either side from finishing.
    pub fn round(self, count: usize, duration: Duration) -> Result<Sample> {
        let others = match self {
            Self::Implementations => count.saturating_sub(OWN),
            Self::Streams | Self::Members | Self::Connections => 0,
        };
        let serve = move |listener| async move { serve(listener, &table(others)?, false).await };
        match self {
            Self::Implementations => {
                duel::run(duration, serve, |to, tally| beside_streams(to, tally, 0))
            }
            Self::Streams => duel::run(duration, serve, move |to, tally| {
                beside_streams(to, tally, count)
            }),
            Self::Members => {
                let shape = Shape {
                    members: count,
                    connections: 1,
                };
                duel::run(
                    duration,
                    move |listener| group::serve(listener, shape, UPDATE_BYTES),
                    move |to, tally| group::subscribe(to, tally, shape, UPDATE_BYTES),
                )
            }
            Self::Connections => {
                raise_limit(count)?;
                duel::run(duration, serve, move |to, tally| {
                    beside_connections(to, tally, count)
                })
            }
        }
    }
}

async fn beside_streams(to: SocketAddr, tally: Tally, count: usize) -> Result<Infallible> {
    let quiet = subscribe_quietly(to, count).await?;
    keep_in_flight(&quiet.connection, tally, IN_FLIGHT, CALL_BYTES).await
}

async fn beside_connections(to: SocketAddr, tally: Tally, count: usize) -> Result<Infallible> {
    // The callee has a thread of its own: nothing here has to go on while this one waits.
    let _idle = Idle::start(to, count)?;
    keep_in_flight(&caller(to).await?, tally, IN_FLIGHT, CALL_BYTES).await
}

/// The process of the idle connections, which ends when its input does.
struct Idle(Child);

impl Idle {
    /// Returns when all of them are open.
    fn start(to: SocketAddr, count: usize) -> Result<Self> {
        let mut child = Command::new(env::current_exe()?)
            .args(["idle", &to.to_string(), &count.to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let stdout = child.stdout.take().context("no output")?;
        let idle = Self(child);
        let mut line = String::new();
        BufReader::new(stdout).read_line(&mut line)?;
        ensure!(line == OPEN, "the idle connections say {line:?}");
        Ok(idle)
    }
}

impl Drop for Idle {
    fn drop(&mut self) {
        drop(self.0.stdin.take());
        // It has ended, or it will now.
        let _status = self.0.wait();
    }
}

/// What the process says when all its connections are open.
const OPEN: &str = "open\n";

/// Opens so many connections, says so, and keeps them until `end` is over: what the other process
/// does.
///
/// # Errors
/// One of them cannot be made.
pub async fn keep_idle(
    to: SocketAddr,
    count: usize,
    say: impl FnOnce(&str),
    end: impl Future<Output = ()>,
) -> Result<()> {
    raise_limit(count)?;
    let mut connections = Vec::with_capacity(count);
    for _ in 0..count {
        connections.push(caller(to).await?);
    }
    say(OPEN);
    end.await;
    Ok(())
}

/// Descriptors beside those of the connections.
const OTHERS: u64 = 100;

/// Lets this process have a descriptor for each of so many connections.
fn raise_limit(connections: usize) -> Result<()> {
    let wanted = connections as u64 + OTHERS;
    let limit = getrlimit(Resource::Nofile);
    if limit.current.is_none_or(|current| current >= wanted) {
        return Ok(());
    }
    let maximum = limit.maximum;
    ensure!(
        maximum.is_none_or(|maximum| maximum >= wanted),
        "the system allows {maximum:?} descriptors, {wanted} are wanted"
    );
    let current = Some(wanted);
    Ok(setrlimit(Resource::Nofile, Rlimit { current, maximum })?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_and_updates_move_beside_others() {
        let duration = Duration::from_millis(50);
        for beside in [Beside::Implementations, Beside::Streams, Beside::Members] {
            for count in [1, 10] {
                let sample = beside.round(count, duration).unwrap();
                assert!(sample.count > 0, "{beside:?} {count}");
            }
        }
    }

    #[test]
    fn idle_connections_say_when_they_are_open() {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build_local(Default::default())
            .unwrap();
        runtime.block_on(async {
            let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
            let to = listener.local_addr().unwrap();
            tokio::task::spawn_local(async move { serve(listener, &table(0)?, false).await });
            let mut said = String::new();
            let kept = keep_idle(to, 3, |line| said.push_str(line), async {}).await;
            kept.unwrap();
            assert_eq!(said, OPEN);
        });
    }
}
