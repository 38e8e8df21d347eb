//! `rpc host watch`: the followed state of a host, and a view of it.

mod observer;

use std::io::{IsTerminal, Write};
use std::process::ExitCode;
use std::time::Duration;

use durable_rpc::{Durable, state};
use rpc_core::connection::heartbeat;
use rpc_core::{Client, Connection};
use tokio::sync::mpsc;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep_until};

use crate::args::{View, Watch};
use crate::environment;
use crate::host::HOST;
use crate::host::change::Change;
use crate::host::snapshot::Snapshot;
use crate::watch::monitor::Monitor;
use crate::watch::plain::Plain;
use crate::watch::terminal::{Screen, is_quit};
use observer::Observer;

/// The view is drawn again at least this often, so that the spans of time in it advance.
const REDRAW_EVERY: Duration = Duration::from_millis(200);

type Subscription = state::Subscription<Snapshot, Change, String>;

/// Watches until the time is over, or the user has seen enough.
pub(crate) async fn run(args: Watch) -> anyhow::Result<ExitCode> {
    let target = Target {
        address: args.address,
        retry: args.retry,
        silence: args.silence,
    };
    let seconds = args.seconds.map(Duration::from_secs);
    let (_notes, no_notes) = mpsc::unbounded_channel();
    let monitor = watch(&target, args.view, seconds, no_notes).await?;
    let mut out = std::io::stdout();
    writeln!(out, "{}", monitor.0.summary(monitor.1))?;
    Ok(if monitor.0.refused() == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// Whom to watch, and how patiently.
#[derive(Clone, Debug)]
pub(crate) struct Target {
    /// HOST:PORT.
    pub(crate) address: String,
    /// The delay after a loss or a failed attempt.
    pub(crate) retry: Duration,
    /// The silence after which the server is given up.
    pub(crate) silence: Duration,
}

impl Target {
    fn subscribe(&self) -> Subscription {
        let heartbeat = heartbeat::Config::default()
            .send_every(self.silence / 4)
            .timeout(self.silence);
        let config = environment::config()
            .identification("rpc host watch")
            .handshake_timeout(self.silence)
            .heartbeat(heartbeat);
        let client = Client::new().config(config);
        let address = self.address.clone();
        let connection = Durable::new(
            move || {
                let (client, address) = (client.clone(), address.clone());
                async move { client.connect(address).await }
            },
            Connection::is_closed,
        );
        state::create(&HOST, &connection, (), self.retry)
    }
}

/// Shows the host's state, and what happens to it, until the time is over or the user wants to leave, and what
/// `notes` has to say about what goes on outside. Returns what was seen, and the time it took.
pub(crate) async fn watch(
    target: &Target,
    view: View,
    limit: Option<Duration>,
    mut notes: mpsc::UnboundedReceiver<String>,
) -> anyhow::Result<(Monitor, Duration)> {
    let start = Instant::now();
    let mut host = Observer::new(target.subscribe());
    let mut monitor = Monitor::new(&target.address);
    let mut display = Display::open(view)?;
    let mut quit = display.quit();
    let mut redraw = interval(REDRAW_EVERY);
    redraw.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let end = async {
        match limit {
            Some(limit) => sleep_until(start + limit).await,
            None => std::future::pending().await,
        }
    };
    let mut end = std::pin::pin!(end);
    let mut interrupted = std::pin::pin!(tokio::signal::ctrl_c());
    loop {
        tokio::select! {
            // No branch loses anything when another one wins: they keep what they wait for.
            Ok(()) = host.changed() => {}
            Some(note) = notes.recv() => monitor.note(start.elapsed(), &note),
            _ = redraw.tick() => {}
            () = &mut end => break,
            _ = &mut interrupted => break,
            Some(()) = quit.recv() => break,
        }
        let now = start.elapsed();
        host.tell(now, &mut monitor);
        display.show(now, &monitor)?;
    }
    Ok((monitor, start.elapsed()))
}

/// Where the view goes.
enum Display {
    Plain(Plain),
    Terminal(Screen),
}

impl Display {
    /// A live table in a terminal, plain lines elsewhere or when asked for.
    fn open(view: View) -> anyhow::Result<Self> {
        Ok(if view.plain || !std::io::stdout().is_terminal() {
            Self::Plain(Plain::new(Duration::from_secs(1)))
        } else {
            Self::Terminal(Screen::try_open()?)
        })
    }

    fn show(&mut self, now: Duration, monitor: &Monitor) -> std::io::Result<()> {
        match self {
            Self::Terminal(screen) => screen.draw(monitor, now),
            Self::Plain(plain) => {
                let mut out = std::io::stdout().lock();
                for line in plain.lines(now, monitor) {
                    writeln!(out, "{line}")?;
                }
                out.flush()
            }
        }
    }

    /// Says when the user pressed a key to leave. Keys are read by a thread of their own, which
    /// ends with the process.
    fn quit(&self) -> mpsc::Receiver<()> {
        let (pressed, quit) = mpsc::channel(1);
        if let Self::Terminal(_) = self {
            std::thread::spawn(move || {
                while let Ok(event) = crossterm::event::read() {
                    if is_quit(&event) && pressed.blocking_send(()).is_err() {
                        break;
                    }
                }
            });
        }
        quit
    }
}
