//! How busy the host is: a bar per CPU, and memory, swap and load.

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::{Color, Style, Stylize};
use ratatui::text::{Line, Span};
use ratatui::widgets::Gauge;

use super::graph::{self, Scale};
use super::{section, two_columns};
use crate::host::snapshot::Snapshot;
use crate::watch::history::Histories;
use crate::watch::units::{bytes, hundredths, percent};

/// How many rows this part would like to have: all CPUs, but not more than a third of the view.
pub(super) fn height(state: &Snapshot, view: Rect) -> u16 {
    let [left, _] = two_columns(view);
    let cpus = u16::try_from(state.cpu_busy_per_mille.len()).unwrap_or(u16::MAX);
    let needed = cpus.div_ceil(cpu_columns(left.width)).saturating_add(1);
    needed.min(view.height / 3).max(MEMORY_ROWS + 1)
}

/// Draws this part.
pub(super) fn draw(frame: &mut Frame<'_>, area: Rect, state: &Snapshot, histories: &Histories) {
    let [left, right] = two_columns(area);
    let cpus = state.cpu_busy_per_mille.len();
    let inner = section(frame, left, &format!("cpu: {cpus}"));
    draw_cpus(frame, inner, &state.cpu_busy_per_mille);
    let inner = section(frame, right, "load and memory");
    draw_memory(frame, inner, state, histories);
}

fn draw_cpus(frame: &mut Frame<'_>, area: Rect, shares: &[u32]) {
    let columns = Layout::horizontal(vec![Constraint::Fill(1); cpu_columns(area.width).into()])
        .spacing(1)
        .split(area);
    let cells = columns.iter().flat_map(|column| column.rows());
    for ((index, &share), cell) in shares.iter().enumerate().zip(cells) {
        frame.render_widget(cpu_line(index, share, cell.width), cell);
    }
}

/// `  3 ██████▌       45.2%`
fn cpu_line(index: usize, share: u32, width: u16) -> Line<'static> {
    let share = share.min(1000);
    let (label, value) = (format!("{index:>3} "), format!(" {:>6}", percent(share)));
    let bar_width = usize::from(width).saturating_sub(label.len() + value.len());
    Line::from(vec![
        label.dim(),
        Span::styled(bar(share, bar_width), Style::new().fg(heat(share))),
        value.into(),
    ])
}

/// A bar of eighths of a column, filled up with spaces to the width.
fn bar(per_mille: u32, width: usize) -> String {
    let eighths = usize::try_from(per_mille.min(1000)).unwrap_or(0) * width * 8 / 1000;
    let mut bar = "█".repeat(eighths / 8);
    let partial = ['▏', '▎', '▍', '▌', '▋', '▊', '▉'];
    if let Some(&last) = (eighths % 8).checked_sub(1).and_then(|at| partial.get(at)) {
        bar.push(last);
    }
    format!("{bar:<width$}")
}

fn draw_memory(frame: &mut Frame<'_>, area: Rect, state: &Snapshot, histories: &Histories) {
    let mut rows = area.rows();
    let mut draw_graph = |label, value: String, history, top| {
        if let Some(row) = rows.next() {
            graph::draw(frame, row, label, &value, (history, top));
        }
    };
    let (memory, load) = (&state.memory, &state.load);
    draw_graph(
        "cpu",
        percent(state.busy_per_mille()),
        &histories.cpu,
        Scale::UpTo(1000),
    );
    draw_graph(
        "mem",
        percent(memory.used_per_mille()),
        &histories.memory,
        Scale::UpTo(1000),
    );
    let averages = format!(
        "{} {} {}",
        hundredths(load.one_minute_hundredths),
        hundredths(load.five_minutes_hundredths),
        hundredths(load.fifteen_minutes_hundredths)
    );
    draw_graph("load", averages, &histories.load, Scale::AtLeast(100));
    if let Some(row) = rows.next() {
        let (used, total) = (bytes(memory.used_bytes), bytes(memory.total_bytes));
        let mut used = format!("memory {used} of {total}");
        if area.width >= AVAILABLE_WIDTH {
            used += &format!(", {} available", bytes(memory.available_bytes));
        }
        draw_gauge(frame, row, memory.used_per_mille(), used);
    }
    if let Some(row) = rows.next() {
        let used = match memory.swap_total_bytes {
            0 => "no swap".to_owned(),
            total => format!("swap {} of {}", bytes(memory.swap_used_bytes), bytes(total)),
        };
        draw_gauge(frame, row, memory.swap_used_per_mille(), used);
    }
}

fn draw_gauge(frame: &mut Frame<'_>, area: Rect, per_mille: u32, label: String) {
    let gauge = Gauge::default()
        .ratio(f64::from(per_mille.min(1000)) / 1000.0)
        .label(label)
        .gauge_style(Style::new().fg(heat(per_mille)).bg(Color::Black));
    frame.render_widget(gauge, area);
}

fn cpu_columns(width: u16) -> u16 {
    (width / CPU_WIDTH).max(1)
}

/// The colour of a share: the more, the hotter.
fn heat(per_mille: u32) -> Color {
    match per_mille {
        0..=599 => Color::Green,
        600..=849 => Color::Yellow,
        _ => Color::Red,
    }
}

/// The least columns that a CPU's bar should have.
const CPU_WIDTH: u16 = 24;

/// From this width on, the memory gauge also tells what is available.
const AVAILABLE_WIDTH: u16 = 50;

/// CPU, memory and load as graphs; memory and swap as gauges.
const MEMORY_ROWS: u16 = 5;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bar_is_filled_to_the_eighth() {
        for (per_mille, width, expected) in [
            (0, 4, "    "),
            (500, 4, "██  "),
            (532, 4, "██▏ "),
            (1000, 4, "████"),
            (u32::MAX, 4, "████"),
            (1000, 0, ""),
        ] {
            assert_eq!(bar(per_mille, width), expected);
        }
    }
}
