//! `rpc decode`: prints the messages in a capture.

use std::io::{self, BufWriter, Write};
use std::process::ExitCode;

use anyhow::{Context, bail};

use crate::args::{Decode, Format};
use crate::decode::connections::{Connections, Failure};
use crate::decode::output::Output;
use crate::decode::{format, pcap, raw, recording};

/// Decodes until the end, or until something makes no sense.
pub(crate) fn run(args: &Decode) -> anyhow::Result<ExitCode> {
    let mut out = BufWriter::new(io::stdout().lock());
    let output = Output::new(&mut out, args.json, args.payload);
    let outcome = decode(args, &mut Connections::new(output, args.limit));
    // What was understood is seen, whatever came after it.
    let flushed = out.flush().map_err(anyhow::Error::from);
    match outcome.and(flushed) {
        // The reader of our output has seen enough.
        Err(error) if is_broken_pipe(&error) => Ok(ExitCode::SUCCESS),
        Err(error) => Err(error),
        Ok(()) => Ok(ExitCode::SUCCESS),
    }
}

fn decode(args: &Decode, connections: &mut Connections<impl Write>) -> anyhow::Result<()> {
    let (first, second) = match &args.files[..] {
        [first] => (first, None),
        [first, second] => (first, Some(second)),
        files => bail!("one or two files, not {}", files.len()),
    };
    let format = match args.format {
        Some(format) => format,
        None => {
            format::detect(first).with_context(|| format!("cannot read {}", first.display()))?
        }
    };
    if second.is_some() && format != Format::Raw {
        bail!("two files have to hold raw bytes; see --format");
    }
    if args.port.is_some() && format != Format::Pcap {
        bail!("--port is for pcap files");
    }
    match format {
        Format::Raw => raw::decode(first, second.map(|path| path.as_path()), connections),
        Format::Recording => recording::decode(first, connections),
        Format::Pcap => pcap::decode(first, args.port, connections),
    }
}

fn is_broken_pipe(error: &anyhow::Error) -> bool {
    let io = match error.downcast_ref::<Failure>() {
        Some(Failure::Output(io)) => Some(io),
        _ => error.downcast_ref::<io::Error>(),
    };
    io.is_some_and(|io| io.kind() == io::ErrorKind::BrokenPipe)
}
