//! `rpc decode`: prints the messages in a capture.

use std::fs;
use std::io::{self, BufWriter, Write};
use std::process::ExitCode;

use anyhow::{Context, anyhow, bail};

use crate::args::{Decode, Format, PayloadForm};
use crate::decode::connections::{Connections, Failure};
use crate::decode::input::Input;
use crate::decode::output::Output;
use crate::decode::payload::Payloads;
use crate::decode::shapes::Shapes;
use crate::decode::{pcap, raw, recording};

/// The status when everything could be decoded except payloads that are not of their types.
const MISFITS: u8 = 3;

/// Decodes until the end, or until something makes no sense.
pub(crate) fn run(args: &Decode) -> anyhow::Result<ExitCode> {
    let payloads = payloads(args)?;
    let mut out = BufWriter::new(io::stdout().lock());
    let output = Output::new(&mut out, args.json, payloads);
    let mut connections = Connections::new(output, args.limit);
    let outcome = decode(args, &mut connections);
    let misfits = connections.misfits();
    // What was understood is seen, whatever came after it.
    let flushed = out.flush().map_err(anyhow::Error::from);
    match outcome.and(flushed) {
        // The reader of our output has seen enough.
        Err(error) if is_broken_pipe(&error) => return Ok(ExitCode::SUCCESS),
        outcome => {
            if misfits > 0 {
                eprintln!("rpc: {misfits} payloads do not fit their shapes");
            }
            outcome?;
        }
    }
    Ok(match misfits {
        0 => ExitCode::SUCCESS,
        1.. => MISFITS.into(),
    })
}

fn payloads(args: &Decode) -> anyhow::Result<Payloads> {
    match args.payload {
        Some(PayloadForm::Hex) if !args.shapes.is_empty() => {
            bail!("--shapes is for --payload value")
        }
        Some(PayloadForm::Hex) => return Ok(Payloads::Hex),
        None if args.shapes.is_empty() => return Ok(Payloads::Sizes),
        Some(PayloadForm::Value) | None => {}
    }
    let mut shapes = Shapes::default();
    for path in &args.shapes {
        let name = path.display();
        let text = fs::read_to_string(path).with_context(|| format!("cannot read {name}"))?;
        shapes
            .add(&text)
            .map_err(|error| anyhow!("{name}:{error}"))?;
    }
    Ok(Payloads::Values(shapes))
}

fn decode(args: &Decode, connections: &mut Connections<impl Write>) -> anyhow::Result<()> {
    let (first, second) = match &args.files[..] {
        [first] => (first, None),
        [first, second] => (first, Some(second)),
        files => bail!("one or two files, not {}", files.len()),
    };
    if second == Some(first) {
        bail!("the two directions have to be two files");
    }
    let first = Input::open(first)?;
    if first.is_empty() && second.is_none() {
        bail!("{} is empty", first.name());
    }
    let second = second.map(|path| Input::open(path)).transpose()?;
    let format = args.format.unwrap_or_else(|| first.format());
    if second.is_some() && format != Format::Raw {
        bail!("two files have to hold raw bytes; see --format");
    }
    if args.port.is_some() && format != Format::Pcap {
        bail!("--port is for pcap files");
    }
    match format {
        Format::Raw => raw::decode(first, second, connections),
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
