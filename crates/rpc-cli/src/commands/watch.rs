//! `rpc host watch`: the followed state of a host, and a view of it.

mod observer;

use std::io::{IsTerminal, Write};
use std::process::ExitCode;
use std::sync::Arc;
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
use crate::watch::terminal::{Screen, is_quit, pressed_key};
use observer::Observer;

/// The view is drawn again at least this often, so that the spans of time in it advance.
const REDRAW_EVERY: Duration = Duration::from_millis(200);

type Subscription = state::Subscription<Snapshot, Change, String>;

/// Watches until the time is over, or the user has seen enough.
pub(crate) async fn run(args: Watch) -> anyhow::Result<ExitCode> {
    let address = args.address;
    let target = Target {
        name: address.clone(),
        look_up: Arc::new(move || address.clone()),
        retry: args.retry,
        silence: args.silence,
    };
    let seconds = args.seconds.map(Duration::from_secs);
    let monitor = watch(&target, args.view, seconds, Outside::nothing()).await?;
    let mut out = std::io::stdout();
    writeln!(out, "{}", monitor.0.summary(monitor.1))?;
    Ok(if monitor.0.refused() == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// Whom to watch, and how patiently.
pub(crate) struct Target {
    /// How the server is called.
    pub(crate) name: String,
    /// Where it is, as HOST:PORT: asked before every attempt.
    pub(crate) look_up: Arc<dyn Fn() -> String + Send + Sync>,
    /// The delay after a loss or a failed attempt.
    pub(crate) retry: Duration,
    /// The silence after which the server is given up.
    pub(crate) silence: Duration,
}

/// What goes on beside the watching.
pub(crate) struct Outside {
    /// What the user is told about it.
    pub(crate) notes: mpsc::UnboundedReceiver<String>,
    /// Where keys go that the view has no use for.
    pub(crate) keys: mpsc::UnboundedSender<char>,
}

impl Outside {
    fn nothing() -> Self {
        let (_, notes) = mpsc::unbounded_channel();
        let (keys, _) = mpsc::unbounded_channel();
        Self { notes, keys }
    }
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
        let look_up = self.look_up.clone();
        let connection = Durable::new(
            move || {
                let (client, address) = (client.clone(), look_up());
                async move { client.connect(address).await }
            },
            Connection::is_closed,
        );
        state::create(&HOST, &connection, (), self.retry)
    }
}

/// Shows the host's state, and what happens to it, until the time is over or the user wants to leave, and what
/// there is to say about what goes on outside. Returns what was seen, and the time it took.
pub(crate) async fn watch(
    target: &Target,
    view: View,
    limit: Option<Duration>,
    mut outside: Outside,
) -> anyhow::Result<(Monitor, Duration)> {
    let start = Instant::now();
    let mut host = Observer::new(target.subscribe());
    let mut monitor = Monitor::new(&target.name);
    let mut display = Display::open(view)?;
    let mut keys = display.keys();
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
            Some(note) = outside.notes.recv() => monitor.note(start.elapsed(), &note),
            _ = redraw.tick() => {}
            () = &mut end => break,
            _ = &mut interrupted => break,
            Some(key) = keys.recv() => match key {
                Key::Quit => break,
                // Nobody may be interested.
                Key::Other(key) => drop(outside.keys.send(key)),
            },
        }
        let now = start.elapsed();
        host.tell(now, &mut monitor);
        display.show(now, &monitor)?;
    }
    let watched = start.elapsed();
    host.tell(watched, &mut monitor);
    Ok((monitor, watched))
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

    /// The keys that the user presses. They are read by a thread of their own, which ends with the
    /// process.
    fn keys(&self) -> mpsc::Receiver<Key> {
        let (pressed, keys) = mpsc::channel(1);
        if let Self::Terminal(_) = self {
            std::thread::spawn(move || {
                while let Ok(event) = crossterm::event::read() {
                    let key = match pressed_key(&event) {
                        _ if is_quit(&event) => Key::Quit,
                        Some(key) => Key::Other(key),
                        None => continue,
                    };
                    if pressed.blocking_send(key).is_err() {
                        break;
                    }
                }
            });
        }
        keys
    }
}

/// A key that was pressed.
enum Key {
    /// One to leave.
    Quit,
    /// Another one.
    Other(char),
}
