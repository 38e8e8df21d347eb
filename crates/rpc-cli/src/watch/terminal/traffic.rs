//! What goes through the network interfaces and the disks.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::style::Stylize;
use ratatui::text::Line;

use super::graph::{self, Scale};
use super::section;
use crate::host::snapshot::Snapshot;
use crate::watch::history::Histories;
use crate::watch::text;
use crate::watch::units::rate;

/// Draws the totals with their histories, then the busiest devices.
pub(super) fn draw(frame: &mut Frame<'_>, area: Rect, state: &Snapshot, histories: &Histories) {
    let inner = section(frame, area, "network and disk");
    let (network, disk) = (state.network_total(), state.disk_total());
    let mut rows = inner.rows();
    for (label, value, history) in [
        ("rx", network.received_bytes_per_second, &histories.received),
        ("tx", network.sent_bytes_per_second, &histories.sent),
        ("read", disk.read_bytes_per_second, &histories.read),
        ("write", disk.written_bytes_per_second, &histories.written),
    ] {
        let Some(row) = rows.next() else { return };
        graph::draw(
            frame,
            row,
            label,
            &rate(value),
            (history, Scale::AtLeast(1024)),
        );
    }
    let room = usize::from(inner.height);
    let networks = busiest(&state.networks, room, |rates| {
        (rates.received_bytes_per_second, rates.sent_bytes_per_second)
    });
    let disks = busiest(&state.disks, room, |rates| {
        (rates.read_bytes_per_second, rates.written_bytes_per_second)
    });
    let network_lines = networks
        .into_iter()
        .map(|(name, traffic)| device_line(name, ("rx", "tx"), traffic));
    let disk_lines = disks
        .into_iter()
        .map(|(name, traffic)| device_line(name, ("r", "w"), traffic));
    for (line, row) in network_lines.chain(disk_lines).zip(rows) {
        frame.render_widget(line, row);
    }
}

/// Name and traffic of the busiest devices; among equals by name.
fn busiest<R>(
    devices: &BTreeMap<String, R>,
    most: usize,
    traffic: impl Fn(&R) -> (u64, u64),
) -> Vec<(&str, (u64, u64))> {
    let mut devices: Vec<_> = devices
        .iter()
        .map(|(name, rates)| (name.as_str(), traffic(rates)))
        .collect();
    devices.sort_by_key(|&(_, (inward, outward))| Reverse(inward.saturating_add(outward)));
    devices.truncate(most);
    devices
}

fn device_line(
    name: &str,
    (in_label, out_label): (&str, &str),
    (inward, outward): (u64, u64),
) -> Line<'static> {
    Line::from(vec![
        format!("{:<12} ", text::clean(name, 12)).dim(),
        format!(
            "{in_label} {:<12} {out_label} {}",
            rate(inward),
            rate(outward)
        )
        .into(),
    ])
}
