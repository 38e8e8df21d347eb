//! Menus for people.

use std::io::{self, Write};

use bin_prot::Sexp;
use rpc_wire::{Description, RpcDigests};

use super::diff::{Change, Diff};
use super::offer::{Offer, named};

/// Digits of a digest that are shown; as JSON there are all.
const DIGITS: usize = 8;

/// A table: a row for each RPC.
pub(crate) fn offer(offer: &Offer, out: &mut impl Write) -> io::Result<()> {
    let mut rows = vec![["NAME", "VERSION", "KIND", "DIGESTS"].map(str::to_owned)];
    rows.extend(offer.rpcs.iter().map(|offered| {
        let version = offered.rpc.version.to_string();
        let kind = offered.digests.kind().to_owned();
        [name(&offered.rpc), version, kind, short(&offered.digests)]
    }));
    let width = |column: usize| {
        let widths = rows.iter().map(|row| row[column].chars().count());
        widths.max().unwrap_or(0)
    };
    let (names, versions, kinds) = (width(0), width(1), width(2));
    for [name, version, kind, digests] in &rows {
        let line = format!("{name:names$}  {version:>versions$}  {kind:kinds$}  {digests}");
        writeln!(out, "{}", line.trim_end())?;
    }
    Ok(())
}

/// The full types, as `rpc decode --shapes` reads them.
pub(crate) fn shapes(offer: &Offer, out: &mut impl Write) -> io::Result<()> {
    for offered in &offer.rpcs {
        let Some(shapes) = &offered.shapes else {
            continue;
        };
        let rpc = Sexp::record([
            ("name", Sexp::atom(offered.rpc.name.clone())),
            ("version", Sexp::atom(offered.rpc.version.to_string())),
        ]);
        writeln!(out, "{}", Sexp::list([rpc, shapes.to_sexp()]))?;
    }
    Ok(())
}

/// A line for each change, and the verdict.
pub(crate) fn diff(diff: &Diff, out: &mut impl Write) -> io::Result<()> {
    let (mut added, mut removed, mut changed) = (0_usize, 0_usize, 0_usize);
    for (rpc, change) in &diff.changes {
        let what = format!("{} version {}", name(rpc), rpc.version);
        match change {
            Change::Added(digests) => {
                added += 1;
                writeln!(out, "+ {what}: {}", digests.kind())?;
            }
            Change::Removed(digests) => {
                removed += 1;
                writeln!(out, "- {what}: {}", digests.kind())?;
            }
            Change::Changed { before, after } => {
                changed += 1;
                writeln!(out, "! {what}: {}", difference(before, after))?;
            }
            Change::NotTold => writeln!(out, "? {what}: types are not told")?,
        }
    }
    let not_told = diff.not_told();
    let verdict = match (diff.is_compatible(), not_told) {
        (true, 0) => "compatible",
        (true, _) => "compatible as far as told",
        (false, _) => "incompatible",
    };
    writeln!(
        out,
        "{verdict}: {added} added, {removed} removed, {changed} changed, {} the same, {not_told} not told",
        diff.same
    )
}

/// What has become another type.
fn difference(before: &RpcDigests, after: &RpcDigests) -> String {
    if before.kind() != after.kind() {
        return format!("{} is now {}", before.kind(), after.kind());
    }
    let (before, after) = (named(before), named(after));
    let pairs = before
        .iter()
        .zip(&after)
        .filter(|(before, after)| before != after);
    let parts: Vec<_> = pairs
        .map(|((what, before), (_, after))| format!("{what} {before} is now {after}"))
        .collect();
    parts.join(", ")
}

/// The name with whatever a peer may have put into it escaped.
fn name(rpc: &Description) -> String {
    Sexp::atom(rpc.name.clone()).to_string()
}

fn short(digests: &RpcDigests) -> String {
    let parts = named(digests).into_iter();
    let parts = parts.map(|(what, digest)| format!("{what} {}", &digest[..DIGITS]));
    parts.collect::<Vec<_>>().join(" ")
}
