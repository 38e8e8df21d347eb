//! Runs a callee and a caller against each other and observes them; knows no protocol.

use std::{
    convert::Infallible,
    io, mem,
    net::{Ipv4Addr, SocketAddr},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, anyhow};
use rustix::time::{ClockId, clock_gettime};
use tokio::{
    net::{TcpListener, TcpStream},
    runtime::Runtime,
    sync::oneshot,
};

use super::Sample;

/// The warm-up is the measured time divided by this.
const WARM_UP_DIVISOR: u32 = 5;

/// What the caller has seen so far. Clones count together, on the caller's one thread.
#[derive(Clone, Debug, Default)]
pub struct Tally(Arc<Counters>);

#[derive(Debug, Default)]
struct Counters {
    count: AtomicU64,
    round_trips: Mutex<Vec<Duration>>,
}

impl Tally {
    /// Adds calls answered, or updates received.
    pub fn add(&self, count: u64) {
        // Not `fetch_add`: with one writer this counts as well, and costs next to nothing.
        let before = self.0.count.load(Ordering::Relaxed);
        self.0.count.store(before + count, Ordering::Relaxed);
    }

    /// Adds one call that took this long.
    pub fn add_round_trip(&self, duration: Duration) {
        self.add(1);
        self.0
            .round_trips
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(duration);
    }

    fn take_round_trips(&self) -> Vec<Duration> {
        mem::take(
            &mut self
                .0
                .round_trips
                .lock()
                .unwrap_or_else(PoisonError::into_inner),
        )
    }
}

/// Runs a callee that listens on the loopback, and a caller that connects to it, each on a thread
/// and a single-threaded runtime of its own, and measures the process for `duration` after a
/// warm-up. Then drops both wherever they are.
///
/// # Errors
/// That of a side that ended before it was measured.
pub fn run<Callee, Caller>(
    duration: Duration,
    callee: impl FnOnce(TcpListener) -> Callee + Send,
    caller: impl FnOnce(SocketAddr, Tally) -> Caller,
) -> Result<Sample>
where
    Callee: Future<Output = Result<()>> + Send + 'static,
    Caller: Future<Output = Result<Infallible>> + Send + 'static,
{
    let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    listener.set_nonblocking(true)?;
    let address = listener.local_addr()?;
    let (stop, stopped) = oneshot::channel::<()>();
    thread::scope(|scope| {
        let callee_thread = scope.spawn(|| -> Result<()> {
            runtime()?.block_on(async {
                let serving = tokio::spawn(callee(TcpListener::from_std(listener)?));
                tokio::select! {
                    ended = serving => ended?.context("callee"),
                    _ = stopped => Ok(()),
                }
            })
        });
        let measured = runtime()?.block_on(async {
            let tally = Tally::default();
            let calling = caller(address, tally.clone());
            tokio::select! {
                ended = tokio::spawn(calling) => {
                    ended?.context("caller").map(|never| match never {})
                }
                sample = observe(duration, &tally) => Ok(sample),
            }
        });
        drop(stop);
        let served = callee_thread
            .join()
            .map_err(|_| anyhow!("the callee panicked"))?;
        match (measured, served) {
            // The caller's error is then but the echo of the callee's.
            (Err(caller), Err(callee)) => Err(callee.context(format!("{caller:#}"))),
            (measured, _) => measured,
        }
    })
}

/// A connection to the callee that sends at once.
///
/// # Errors
/// It is not there.
pub async fn connect(address: SocketAddr) -> io::Result<TcpStream> {
    let socket = TcpStream::connect(address).await?;
    socket.set_nodelay(true)?;
    Ok(socket)
}

/// The next caller's connection, which sends at once.
///
/// # Errors
/// That of the listener.
pub async fn accept(listener: &TcpListener) -> io::Result<TcpStream> {
    let (socket, _) = listener.accept().await?;
    socket.set_nodelay(true)?;
    Ok(socket)
}

async fn observe(duration: Duration, tally: &Tally) -> Sample {
    tokio::time::sleep(duration / WARM_UP_DIVISOR).await;
    tally.take_round_trips();
    let before = Moment::now(tally);
    tokio::time::sleep(duration).await;
    let after = Moment::now(tally);
    Sample {
        count: after.count - before.count,
        wall: after.wall - before.wall,
        cpu: after.cpu - before.cpu,
        round_trips: tally.take_round_trips(),
    }
}

/// The three clocks of a measurement, read together.
struct Moment {
    count: u64,
    wall: Instant,
    cpu: Duration,
}

impl Moment {
    fn now(tally: &Tally) -> Self {
        let cpu = clock_gettime(ClockId::ProcessCPUTime);
        Self {
            count: tally.0.count.load(Ordering::Relaxed),
            wall: Instant::now(),
            // Never negative: the clock starts at zero with the process.
            cpu: Duration::try_from(cpu).unwrap_or_default(),
        }
    }
}

fn runtime() -> Result<Runtime> {
    Ok(tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHORT: Duration = Duration::from_millis(20);

    #[test]
    fn counts_only_what_follows_the_warm_up() {
        let sample = run(
            SHORT,
            |_listener| std::future::pending(),
            |_address, tally| async move {
                tally.add_round_trip(SHORT);
                std::future::pending().await
            },
        )
        .unwrap();
        assert_eq!(sample.count, 0);
        assert!(sample.round_trips.is_empty());
        assert!(sample.wall >= SHORT);
    }

    #[test]
    fn the_callee_explains_why_the_caller_failed() {
        let error = run(
            Duration::from_secs(60),
            |listener| async move {
                accept(&listener).await?;
                Err(anyhow!("no memory"))
            },
            |address, _tally| async move {
                // Readable at once: the callee has dropped its end.
                connect(address).await?.readable().await?;
                Err(anyhow!("connection lost"))
            },
        )
        .unwrap_err();
        assert_eq!(
            format!("{error:#}"),
            "caller: connection lost: callee: no memory"
        );
    }
}
