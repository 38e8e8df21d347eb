//! The command line.

mod probe;

use std::net::SocketAddr;
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args as ClapArgs, Parser, Subcommand, ValueEnum};
use rpc_wire::ProtocolVersion;

use crate::interop::cases::{CASES, Case};
use crate::interop::prices::PriceVersions;

pub(crate) use probe::{Events, Ping};

/// Async_rpc from the command line. Exit codes are in docs/cli.md.
#[derive(Debug, Parser)]
#[command(name = "rpc", version, arg_required_else_help = true)]
pub(crate) struct Args {
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// See what a durable subscription is: four things go wrong, and the view recovers by itself.
    ///
    /// A child process publishes the live state of this host; this process follows it, over a network
    /// path that can be cut, at an address that it looks up before each attempt. One after the other,
    /// the server is killed, frozen, cut off and moved, and each is repaired some seconds later; with
    /// --interactive keys choose what happens. At the end there is a table of what each fault looked
    /// like. Exits with 0 if the subscription recovered from each and every update belonged to the
    /// state that it was applied to.
    Demo(Demo),
    /// Print the messages in a capture of a connection, one a line.
    ///
    /// Reads pcap and pcapng files, recordings (.jsonl), or raw bytes: one file for one direction,
    /// two files for both. Exits with 1 at the first byte that makes no sense, and says where; with 3
    /// if all of it made sense but some payloads are not of the types that --shapes gives them.
    Decode(Decode),
    /// Ask a server what it answers: names, versions, kinds, and digests of the types.
    ///
    /// Asks any Async_rpc server, in the handshake or by the menu RPC. Kinds and digests are known
    /// only if the server tells them, there or by the shapes of its types. Exits with 1 if there is no answer; with --diff, with 3 if the
    /// second server is incompatible with callers of the first.
    Menu(Menu),
    /// Publish or watch the live state of a host.
    #[command(subcommand)]
    Host(Host),
    /// Be one end of the interoperability suite, whose other end may be any implementation.
    #[command(subcommand)]
    Interop(Interop),
    /// Ask any server again and again, and tell how long its answers take.
    ///
    /// First tells the negotiated version, how the server introduces itself, and how long the
    /// handshake took. Then asks for its menu: a server that has none says so, which is an answer,
    /// too. Exits with 1 if there was no connection, or an answer did not come in time.
    Ping(Ping),
    /// Show what a server sends and receives, as it happens, if it offers to show that.
    ///
    /// `rpc host serve` does; docs/observability.md says how others do. Runs until Ctrl-C; exits
    /// with 1 when the connection is lost.
    Events(Events),
    /// Print a script by which a shell completes this command's arguments.
    Completions {
        /// For which shell.
        shell: clap_complete::Shell,
    },
}

/// Arguments of `rpc decode`.
#[derive(Debug, ClapArgs)]
pub(crate) struct Decode {
    /// The capture; `-` is the standard input. Of two files with raw bytes the first one holds what
    /// the client sent.
    #[arg(value_name = "FILE", required = true, num_args = 1..=2)]
    pub(crate) files: Vec<PathBuf>,
    /// What the files are. Default: their first bytes tell.
    #[arg(long)]
    pub(crate) format: Option<Format>,
    /// Of a pcap file, only the connections with this TCP port on either side.
    #[arg(long)]
    pub(crate) port: Option<u16>,
    /// Print JSON, one object per line.
    #[arg(long)]
    pub(crate) json: bool,
    /// Also print the payloads.
    #[arg(long, value_name = "FORM")]
    pub(crate) payload: Option<PayloadForm>,
    /// A file that says which types the RPCs have, such as `rpc sum 1 : int list -> int`; see
    /// docs/decode.md. Implies `--payload value`. May be given several times.
    #[arg(long, value_name = "FILE")]
    pub(crate) shapes: Vec<PathBuf>,
    /// The largest message that is accepted, in bytes.
    #[arg(long, value_name = "BYTES", default_value_t = rpc_wire::frame::DEFAULT_LIMIT)]
    pub(crate) limit: usize,
}

/// Arguments of `rpc menu`.
#[derive(Debug, ClapArgs)]
pub(crate) struct Menu {
    /// The server: HOST:PORT.
    #[arg(value_name = "ADDR")]
    pub(crate) address: String,
    /// The server to compare it with, that of the newer release.
    #[arg(value_name = "ADDR", requires = "diff")]
    pub(crate) other: Option<String>,
    /// Say what changes for callers when the second server takes the place of the first.
    #[arg(long, requires = "other", conflicts_with = "shapes")]
    pub(crate) diff: bool,
    /// Print JSON, one object per line.
    #[arg(long)]
    pub(crate) json: bool,
    /// Print the full types, if the server offers them: a file for `rpc decode --shapes`.
    #[arg(long)]
    pub(crate) shapes: bool,
    /// The wire versions to offer.
    #[arg(long, value_name = "A-B", default_value = "1-11", value_parser = wire)]
    pub(crate) wire: Wire,
    /// Give up after this many milliseconds.
    #[arg(long, value_name = "MS", default_value = "10000", value_parser = milliseconds)]
    pub(crate) timeout: Duration,
}

/// What a capture is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// The bytes of one direction, or of each direction in a file.
    Raw,
    /// Lines of JSON: who sent which bytes, and when.
    Recording,
    /// Packets, as tcpdump and Wireshark write them: pcap or pcapng.
    Pcap,
}

/// How payloads are printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum PayloadForm {
    /// Hex digits.
    Hex,
    /// Values, of those RPCs whose types are known; hex digits of the others.
    Value,
}

/// Arguments of `rpc demo`.
#[derive(Debug, ClapArgs)]
pub(crate) struct Demo {
    /// How long to run, in seconds; at least 12. Default: 40, or until you leave.
    #[arg(long, value_parser = clap::value_parser!(u64).range(12..))]
    pub(crate) seconds: Option<u64>,
    /// Nothing goes wrong by itself: you choose, by a key. Needs a terminal.
    #[arg(long, conflicts_with = "plain")]
    pub(crate) interactive: bool,
    #[command(flatten)]
    pub(crate) view: View,
    /// Time between two updates, in milliseconds; at least 200.
    #[arg(long = "every", value_name = "MS", default_value = "500", value_parser = interval)]
    pub(crate) interval: Duration,
}

/// The two halves of the demo, for two terminals or two machines.
#[derive(Debug, Subcommand)]
pub(crate) enum Host {
    /// Publish the live state of this host as a state RPC.
    Serve(Serve),
    /// Watch a host; survives the loss of its server.
    Watch(Watch),
}

/// Arguments of `rpc host serve`.
#[derive(Debug, ClapArgs)]
pub(crate) struct Serve {
    /// Where to listen; port 0 picks a free one.
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:8642")]
    pub(crate) listen: SocketAddr,
    /// Time between two updates, in milliseconds; at least 200.
    #[arg(long = "every", value_name = "MS", default_value = "500", value_parser = interval)]
    pub(crate) interval: Duration,
    /// Give a silent viewer up after this many milliseconds.
    #[arg(long, value_name = "MS", default_value = "10000", value_parser = milliseconds)]
    pub(crate) silence: Duration,
    /// Where to expose metrics for Prometheus, at the path /metrics; port 0 picks a free one.
    /// Default: nowhere.
    #[arg(long, value_name = "ADDR")]
    pub(crate) metrics: Option<SocketAddr>,
    /// End when the standard input ends: with the process that holds its other end.
    #[arg(long, hide = true)]
    pub(crate) until_input_ends: bool,
}

/// Arguments of `rpc host watch`.
#[derive(Debug, ClapArgs)]
pub(crate) struct Watch {
    /// The server: HOST:PORT.
    #[arg(value_name = "ADDR")]
    pub(crate) address: String,
    /// Stop after this many seconds. Default: not until `q` or Ctrl-C.
    #[arg(long)]
    pub(crate) seconds: Option<u64>,
    #[command(flatten)]
    pub(crate) view: View,
    /// Time to wait after a loss or a failed attempt, in milliseconds.
    #[arg(long, value_name = "MS", default_value = "1000", value_parser = milliseconds)]
    pub(crate) retry: Duration,
    /// Give a silent server up after this many milliseconds.
    #[arg(long, value_name = "MS", default_value = "6000", value_parser = milliseconds)]
    pub(crate) silence: Duration,
}

/// The two ends of the suite.
#[derive(Debug, Subcommand)]
pub(crate) enum Interop {
    /// Answer the suite's RPCs until Ctrl-C or SIGTERM. Prints `listening on HOST:PORT` when
    /// ready.
    Serve(InteropServe),
    /// Run the suite's cases against a server. Prints `ok NAME` or `FAIL NAME: why` for each, and
    /// exits with 1 if any failed.
    Client(InteropClient),
}

/// Arguments of `rpc interop serve`.
#[derive(Debug, ClapArgs)]
pub(crate) struct InteropServe {
    /// Where to listen: HOST:PORT; port 0 picks a free one.
    #[arg(long, value_name = "ADDR")]
    pub(crate) listen: String,
    /// The wire versions to offer. Default: all, or what the environment says.
    #[arg(long, value_name = "A-B", value_parser = wire)]
    pub(crate) wire: Option<Wire>,
    /// How to introduce itself.
    #[arg(long, value_name = "TEXT", default_value = "interop-server")]
    pub(crate) identification: String,
    /// The versions of `price` to implement, 1, 2 or 1,2; and implement its streams in these versions,
    /// which are not part of the suite. Default: 1,2 of `price`, and no streams.
    #[arg(long, value_name = "VERSIONS")]
    pub(crate) price: Option<PriceVersions>,
}

/// Arguments of `rpc interop client`.
#[derive(Debug, ClapArgs)]
pub(crate) struct InteropClient {
    /// The server: HOST:PORT.
    #[arg(value_name = "ADDR")]
    pub(crate) address: String,
    /// The wire versions to offer. Default: all, or what the environment says.
    #[arg(long, value_name = "A-B", value_parser = wire)]
    pub(crate) wire: Option<Wire>,
    /// How to introduce itself.
    #[arg(long, value_name = "TEXT", default_value = "interop-client")]
    pub(crate) identification: String,
    /// Run only this case; repeatable.
    #[arg(long, value_name = "NAME", value_parser = case)]
    pub(crate) only: Vec<&'static Case>,
    /// Fail unless this wire version is negotiated.
    #[arg(long, value_name = "V", value_parser = version)]
    pub(crate) expect_wire: Option<ProtocolVersion>,
    /// The versions of `price` that the server has to implement; and run the cases of its streams, or
    /// say that the server has none. Default: 1,2, and not these cases.
    #[arg(long, value_name = "VERSIONS")]
    pub(crate) price: Option<PriceVersions>,
    /// Instead of the cases: hold a durable subscription to the slow counter, and print each of
    /// its events as `SECONDS EVENT`.
    #[arg(long, conflicts_with = "only")]
    pub(crate) durable: bool,
    /// How long to hold the durable subscription.
    #[arg(long, requires = "durable", default_value_t = 10)]
    pub(crate) seconds: u64,
}

/// A range of wire versions. (A plain `RangeInclusive` would be taken for many values by clap.)
#[derive(Clone, Debug)]
pub(crate) struct Wire(pub(crate) RangeInclusive<ProtocolVersion>);

/// How to show what is watched.
#[derive(Clone, Copy, Debug, ClapArgs)]
pub(crate) struct View {
    /// Print plain lines, also to a terminal.
    #[arg(long)]
    pub(crate) plain: bool,
}

fn milliseconds(text: &str) -> Result<Duration, String> {
    let number: u64 = text.parse().map_err(|error| format!("{error}"))?;
    Ok(Duration::from_millis(number))
}

fn version(text: &str) -> Result<ProtocolVersion, String> {
    let number = text.parse().ok();
    number.and_then(ProtocolVersion::new).ok_or_else(|| {
        format!(
            "wire versions are {} to {}",
            ProtocolVersion::MIN,
            ProtocolVersion::MAX
        )
    })
}

/// `A-B`, or `A` for `A-A`.
fn wire(text: &str) -> Result<Wire, String> {
    let (lowest, highest) = text.split_once('-').unwrap_or((text, text));
    let (lowest, highest) = (version(lowest)?, version(highest)?);
    if lowest > highest {
        return Err(format!("{lowest} is above {highest}"));
    }
    Ok(Wire(lowest..=highest))
}

fn case(name: &str) -> Result<&'static Case, String> {
    let case = CASES.iter().find(|case| case.name == name);
    case.ok_or_else(|| {
        let names: Vec<_> = CASES.iter().map(|case| case.name).collect();
        format!("the cases are {}", names.join(", "))
    })
}

fn interval(text: &str) -> Result<Duration, String> {
    let shortest = crate::host::sampler::Sampler::SHORTEST_INTERVAL;
    match milliseconds(text)? {
        interval if interval < shortest => Err(format!("at least {}", shortest.as_millis())),
        interval => Ok(interval),
    }
}
