//! Runs the interoperability suite's client against its server, as processes, at every version of
//! the wire protocol.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Output, Stdio};
use std::thread;

use anyhow::{Context as _, Result, bail};

use crate::cargo::Cargo;

const PACKAGE: &str = "--release -p rpc-cli";

/// Pairs at a time: they mostly wait.
const AT_ONCE: usize = 4;

/// What a server and a client offer, and what they have to agree on.
#[derive(Clone, Debug)]
struct Pair {
    server: String,
    client: String,
    agreed: u8,
}

/// Every version by itself, and ends of different age.
fn pairs() -> Vec<Pair> {
    let pair = |server: &str, client: &str, agreed| Pair {
        server: server.to_owned(),
        client: client.to_owned(),
        agreed,
    };
    let single = (1..=11).map(|version| pair("1-11", &version.to_string(), version));
    // 1-3 and 1-6 are what two releases of the reference offer.
    let mixed = [
        pair("1-11", "1-11", 11),
        pair("1-3", "1-11", 3),
        pair("1-6", "1-11", 6),
        pair("1-11", "1-3", 3),
        pair("1-11", "1-6", 6),
        pair("4-9", "2-7", 7),
    ];
    single.chain(mixed).collect()
}

/// Runs all cases between every pair of ends, and prints a line for each.
///
/// # Errors
/// What failed, after everything has run.
pub(crate) fn run() -> Result<()> {
    Cargo::new(&format!("build {PACKAGE}")).run()?;
    let mut failed = 0;
    for some in pairs().chunks(AT_ONCE) {
        let outcomes = thread::scope(|scope| {
            let running: Vec<_> = some.iter().map(|pair| scope.spawn(|| pair.run())).collect();
            let joined = running.into_iter().map(|running| running.join());
            joined.collect::<Vec<_>>()
        });
        for (pair, outcome) in some.iter().zip(outcomes) {
            let Pair {
                server,
                client,
                agreed,
            } = pair;
            print!("server {server:4}  client {client:4}  version {agreed:2}: ");
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

impl Pair {
    /// The client's last line; an error with everything it printed if a case failed.
    fn run(&self) -> Result<String> {
        let serve = "interop serve --listen 127.0.0.1:0 --wire";
        let mut server = Server::start(&format!("{serve} {}", self.server))?;
        let address = server.address()?;
        let (client, agreed) = (&self.client, self.agreed);
        let options = format!("{address} --wire {client} --expect-wire {agreed}");
        let Output { status, stdout, .. } = rpc(&format!("interop client {options}"))
            .command()
            .stderr(Stdio::inherit())
            .output()
            .context("could not start the client")?;
        let printed = String::from_utf8_lossy(&stdout);
        if !status.success() {
            bail!("{status}\n{printed}");
        }
        Ok(printed.lines().last().unwrap_or_default().to_owned())
    }
}

/// The built command. Cargo turns into it, so that killing the one kills the other.
fn rpc(line: &str) -> Cargo {
    Cargo::new(&format!("run --quiet {PACKAGE} -- {line}"))
}

/// A running server, killed when dropped.
struct Server(Child);

impl Server {
    fn start(line: &str) -> Result<Self> {
        let server = rpc(line).command().stdout(Stdio::piped()).spawn();
        Ok(Self(server.context("could not start the server")?))
    }

    /// Waits until it listens.
    ///
    /// # Errors
    /// It says something else.
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
