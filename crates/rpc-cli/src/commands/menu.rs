//! `rpc menu`: what a server answers, and what changes between two of them.

use std::io::{self, BufWriter, Write};
use std::process::ExitCode;

use anyhow::Context;
use rpc_core::Client;
use rpc_core::connection::Config;
use tokio::time::timeout;

use crate::args::Menu;
use crate::menu::diff::Diff;
use crate::menu::offer::{Offer, Shapes};
use crate::menu::{json, text};

/// The status when the second server is incompatible with callers of the first.
const INCOMPATIBLE: u8 = 3;

/// Asks, and prints.
pub(crate) async fn run(args: &Menu) -> anyhow::Result<ExitCode> {
    let mut out = BufWriter::new(io::stdout());
    let code = match &args.other {
        Some(other) => {
            // One after the other: whose failure it is, is told by the first that fails.
            let (before, after) = (ask(args, &args.address).await?, ask(args, other).await?);
            let diff = Diff::new(&before, &after);
            if args.json {
                json::diff(&diff, &mut out)?;
            } else {
                text::diff(&diff, &mut out)?;
            }
            if diff.is_compatible() {
                ExitCode::SUCCESS
            } else {
                INCOMPATIBLE.into()
            }
        }
        None => {
            let offer = ask(args, &args.address).await?;
            match (args.json, args.shapes) {
                (true, with_shapes) => json::offer(&offer, with_shapes, &mut out)?,
                (false, true) => text::shapes(&offer, &mut out)?,
                (false, false) => text::offer(&offer, &mut out)?,
            }
            ExitCode::SUCCESS
        }
    };
    out.flush()?;
    Ok(code)
}

async fn ask(args: &Menu, address: &str) -> anyhow::Result<Offer> {
    let config = Config::default()
        .versions(args.wire.0.clone())
        .handshake_timeout(args.timeout);
    let asked = async {
        let connection = Client::new().config(config).connect(address).await?;
        let shapes = match args.shapes {
            true => Shapes::Wanted,
            false => Shapes::AsNeeded,
        };
        Offer::ask(connection, shapes).await
    };
    let asked = timeout(args.timeout, asked).await;
    let nothing = || format!("{address}: nothing within {} ms", args.timeout.as_millis());
    asked
        .with_context(nothing)?
        .with_context(|| address.to_owned())
}
