//! Runs a callee and a caller against each other and observes them; knows no protocol.

use std::{
    convert::Infallible,
    io,
    net::{Ipv4Addr, SocketAddr},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, anyhow};
use hdrhistogram::Histogram;
use rustix::time::{ClockId, clock_gettime};
use tokio::{
    net::{TcpListener, TcpStream},
    runtime::{LocalOptions, LocalRuntime},
    sync::oneshot,
    task,
};

use super::{Sample, others};

/// The warm-up is the measured time divided by this.
const WARM_UP_DIVISOR: u32 = 5;

/// Significant digits of a latency.
const DIGITS: u8 = 3;

/// An empty histogram of latencies.
pub fn latencies() -> Histogram<u64> {
    Histogram::new(DIGITS).expect("no more digits than it can have")
}

/// What the caller has seen so far. Clones count together, on the caller's one thread.
#[derive(Clone, Debug)]
pub struct Tally(Arc<Counters>);

#[derive(Debug)]
struct Counters {
    count: AtomicU64,
    latencies: Mutex<Histogram<u64>>,
}

impl Default for Tally {
    fn default() -> Self {
        Self(Arc::new(Counters {
            count: AtomicU64::new(0),
            latencies: Mutex::new(latencies()),
        }))
    }
}

impl Tally {
    /// Adds calls answered, or updates received.
    pub fn add(&self, count: u64) {
        // Not `fetch_add`: with one writer this counts as well, and costs next to nothing.
        let before = self.0.count.load(Ordering::Relaxed);
        self.0.count.store(before + count, Ordering::Relaxed);
    }

    /// Adds one call that took from then until now.
    pub fn add_call_since(&self, start: Instant) {
        let nanos = u64::try_from(start.elapsed().as_nanos()).unwrap_or(u64::MAX);
        self.add(1);
        let recorded = self.latencies().record(nanos);
        recorded.expect("a histogram that grows has room for any number");
    }

    fn take_latencies(&self) -> Histogram<u64> {
        let mut current = self.latencies();
        let taken = current.clone();
        current.reset();
        taken
    }

    fn latencies(&self) -> MutexGuard<'_, Histogram<u64>> {
        self.0
            .latencies
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
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
    Callee: Future<Output = Result<()>> + 'static,
    Caller: Future<Output = Result<Infallible>> + 'static,
{
    let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    listener.set_nonblocking(true)?;
    let address = listener.local_addr()?;
    let (stop, stopped) = oneshot::channel::<()>();
    thread::scope(|scope| {
        let callee_thread = scope.spawn(|| -> Result<()> {
            runtime()?.block_on(async {
                let serving = task::spawn_local(callee(TcpListener::from_std(listener)?));
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
                ended = task::spawn_local(calling) => {
                    ended?.context("caller").map(|never| match never {})
                }
                sample = observe(duration, &tally) => sample,
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

/// How long may pass before anything has been counted.
const SET_UP: Duration = Duration::from_secs(120);

/// Measures, after a warm-up that begins when the caller has counted for the first time: until then
/// it may have been setting up.
async fn observe(duration: Duration, tally: &Tally) -> Result<Sample> {
    let counted = async {
        while tally.0.count.load(Ordering::Relaxed) == 0 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    let set_up = tokio::time::timeout(SET_UP, counted).await;
    set_up.map_err(|_| anyhow!("nothing was counted for {SET_UP:?}"))?;
    tokio::time::sleep(duration / WARM_UP_DIVISOR).await;
    tally.take_latencies();
    let before = Moment::now(tally)?;
    tokio::time::sleep(duration).await;
    let after = Moment::now(tally)?;
    let (wall, cpu) = (after.wall - before.wall, after.cpu - before.cpu);
    Ok(Sample {
        count: after.count - before.count,
        wall,
        cpu,
        others: others::share(after.busy - before.busy, cpu, wall),
        latencies: tally.take_latencies(),
    })
}

/// The clocks of a measurement, read together.
struct Moment {
    count: u64,
    wall: Instant,
    cpu: Duration,
    busy: Duration,
}

impl Moment {
    fn now(tally: &Tally) -> Result<Self> {
        let busy = others::busy()?;
        let cpu = clock_gettime(ClockId::ProcessCPUTime);
        Ok(Self {
            count: tally.0.count.load(Ordering::Relaxed),
            wall: Instant::now(),
            // Never negative: the clock starts at zero with the process.
            cpu: Duration::try_from(cpu).unwrap_or_default(),
            busy,
        })
    }
}

/// Of one thread, and for what never leaves it too: one of the peers is made of such.
fn runtime() -> Result<LocalRuntime> {
    Ok(tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build_local(LocalOptions::default())?)
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
                tally.add_call_since(Instant::now());
                std::future::pending().await
            },
        )
        .unwrap();
        assert_eq!(sample.count, 0);
        assert!(sample.latencies.is_empty());
        assert!(sample.wall >= SHORT);
    }

    #[test]
    fn calls_take_what_has_passed() {
        let tally = Tally::default();
        tally.add_call_since(Instant::now() - SHORT);
        let latencies = tally.take_latencies();
        assert_eq!(latencies.len(), 1);
        assert!(latencies.max() >= u64::try_from(SHORT.as_nanos()).unwrap());
        assert!(tally.take_latencies().is_empty());
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
