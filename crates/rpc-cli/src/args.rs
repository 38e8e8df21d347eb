//! The command line.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args as ClapArgs, Parser, Subcommand, ValueEnum};

/// Async_rpc from the command line.
#[derive(Debug, Parser)]
#[command(name = "rpc", version, arg_required_else_help = true)]
pub(crate) struct Args {
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// See what a durable subscription is: a server is killed, and the view recovers by itself.
    ///
    /// A server process publishes the live state of this host; this process subscribes to it and
    /// shows it. After a while the server is killed with SIGKILL, and later a new one starts on
    /// the same port. Exits with 0 if the subscription recovered and every update belonged to
    /// the state that it was applied to.
    Demo(Demo),
    /// Print the messages in a capture of a connection, one a line.
    ///
    /// Reads pcap and pcapng files, recordings (.jsonl), or raw bytes: one file for one direction,
    /// two files for both. Exits with 1 at the first byte that makes no sense, and says where.
    Decode(Decode),
    /// Publish or watch the live state of a host.
    #[command(subcommand)]
    Host(Host),
}

/// Arguments of `rpc decode`.
#[derive(Debug, ClapArgs)]
pub(crate) struct Decode {
    /// The capture. Of two files with raw bytes the first one holds what the client sent.
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
    /// The largest message that is accepted, in bytes.
    #[arg(long, value_name = "BYTES", default_value_t = rpc_wire::frame::DEFAULT_LIMIT)]
    pub(crate) limit: usize,
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
}

/// Arguments of `rpc demo`.
#[derive(Debug, ClapArgs)]
pub(crate) struct Demo {
    /// How long to run, in seconds; at least 6.
    #[arg(long, default_value_t = 30, value_parser = clap::value_parser!(u64).range(6..))]
    pub(crate) seconds: u64,
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

fn interval(text: &str) -> Result<Duration, String> {
    let shortest = crate::host::sampler::Sampler::SHORTEST_INTERVAL;
    match milliseconds(text)? {
        interval if interval < shortest => Err(format!("at least {}", shortest.as_millis())),
        interval => Ok(interval),
    }
}
