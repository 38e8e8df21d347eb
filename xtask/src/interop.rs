//! Runs the interoperability suite's client against its server, as processes, at every version of
//! the wire protocol.

use std::fmt;
use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Output, Stdio};
use std::thread;

use anyhow::{Context as _, Result, bail};

use crate::cargo::{Cargo, root};

/// Pairs at a time: they mostly wait.
const AT_ONCE: usize = 4;

/// What a server and a client offer, and what they have to agree on.
#[derive(Clone, Debug)]
struct Pair {
    server: String,
    client: String,
    agreed: u8,
    cases: Cases,
}

/// Which cases are run.
#[derive(Clone, Copy, Debug)]
enum Cases {
    /// All that the suite has.
    All,
    /// Those of `price` and its streams, against a server that knows these versions of it. The client knows
    /// all there are, in turn.
    Price(&'static str),
}

/// Every version by itself, at either end, and ends of different age; and at every version whatever a server may
/// know of `price`.
fn pairs() -> Vec<Pair> {
    let pair = |server: &str, client: &str, agreed, cases| Pair {
        server: server.to_owned(),
        client: client.to_owned(),
        agreed,
        cases,
    };
    let singly =
        |cases| (1..=11).map(move |version| pair("1-11", &version.to_string(), version, cases));
    let serving = (1..=11).map(|version| pair(&version.to_string(), "1-11", version, Cases::All));
    // 1-3 and 1-6 are what two releases of the reference offer.
    let mixed = [
        ("1-11", "1-11", 11),
        ("1-3", "1-11", 3),
        ("1-6", "1-11", 6),
        ("1-11", "1-3", 3),
        ("1-11", "1-6", 6),
        ("4-9", "2-7", 7),
    ];
    let mixed = mixed.map(|(server, client, agreed)| pair(server, client, agreed, Cases::All));
    let price = ["1", "2", "1,2"].into_iter().map(Cases::Price);
    singly(Cases::All)
        .chain(serving)
        .chain(mixed)
        .chain(price.flat_map(singly))
        .collect()
}

/// Runs the cases between every pair of ends, and prints a line for each.
///
/// # Errors
/// What failed, after everything has run.
pub(crate) fn run() -> Result<()> {
    Cargo::new("build --release -p rpc-cli").run()?;
    let mut failed = 0;
    for some in pairs().chunks(AT_ONCE) {
        let outcomes = thread::scope(|scope| {
            let running: Vec<_> = some.iter().map(|pair| scope.spawn(|| pair.run())).collect();
            let joined = running.into_iter().map(|running| running.join());
            joined.collect::<Vec<_>>()
        });
        for (pair, outcome) in some.iter().zip(outcomes) {
            print!("{pair}: ");
            match outcome {
                Ok(Ok(summary)) => println!("{summary}"),
                Ok(Err(error)) => {
                    failed += 1;
                    println!("{error:#}");
                }
                Err(panic) => std::panic::resume_unwind(panic),
            }
        }
    }
    if failed > 0 {
        bail!("{failed} pairs of ends failed");
    }
    Ok(())
}

impl fmt::Display for Pair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            server,
            client,
            agreed,
            cases,
        } = self;
        write!(
            f,
            "server {server:4}  client {client:4}  version {agreed:2}"
        )?;
        match cases {
            Cases::All => Ok(()),
            Cases::Price(versions) => write!(f, "  price {versions:3}"),
        }
    }
}

impl Pair {
    /// The client's last line; an error with everything it printed if a case failed, or was skipped.
    fn run(&self) -> Result<String> {
        let (price, only) = match self.cases {
            Cases::All => (String::new(), ""),
            Cases::Price(versions) => (
                format!("--price {versions}"),
                "--only versioned --only versioned-pipe --only versioned-state",
            ),
        };
        let mut server = Server::start(&format!("--wire {} {price}", self.server))?;
        let address = server.address()?;
        let (client, agreed) = (&self.client, self.agreed);
        let wire = format!("--wire {client} --expect-wire {agreed}");
        let client = format!("interop client {address} {wire} {price} {only}");
        let Output { status, stdout, .. } = rpc(&client)
            .stderr(Stdio::inherit())
            .output()
            .context("could not start the client")?;
        let printed = String::from_utf8_lossy(&stdout);
        let summary = printed.lines().last().unwrap_or_default();
        if !status.success() || summary.contains("skipped") {
            bail!("{status}\n{printed}");
        }
        Ok(summary.to_owned())
    }
}

/// The built command, itself, so that killing it kills what runs.
fn rpc(line: &str) -> Command {
    let mut command = Command::new(root().join("target/release/rpc"));
    command.args(line.split_whitespace()).stdin(Stdio::null());
    command
}

/// A running server, killed when dropped.
struct Server(Child);

impl Server {
    /// The suite's server on a free port, with these options. It has to be built.
    fn start(options: &str) -> Result<Self> {
        let serve = format!("interop serve --listen 127.0.0.1:0 {options}");
        let server = rpc(&serve).stdout(Stdio::piped()).spawn();
        Ok(Self(server.context("could not start the server")?))
    }

    /// Waits until it listens.
    fn address(&mut self) -> Result<String> {
        let stdout = self.0.stdout.take().context("the server has no output")?;
        let mut line = String::new();
        BufReader::new(stdout).read_line(&mut line)?;
        let address = line.trim_end().strip_prefix("listening on ");
        let address = address.with_context(|| format!("the server said {line:?}"))?;
        Ok(address.to_owned())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended already.
        let _killed = self.0.kill();
        let _status = self.0.wait();
    }
}
