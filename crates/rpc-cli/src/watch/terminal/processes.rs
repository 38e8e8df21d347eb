//! The busiest processes, busiest first.

use ratatui::Frame;
use ratatui::layout::{Constraint, Rect};
use ratatui::style::Modifier;
use ratatui::text::Text;
use ratatui::widgets::{Row, Table};

use super::section;
use crate::host::snapshot::{Process, Snapshot};
use crate::watch::text;
use crate::watch::units::{bytes, percent};

/// Draws as many of them as there is room for.
pub(super) fn draw(frame: &mut Frame<'_>, area: Rect, state: &Snapshot) {
    let inner = section(frame, area, &format!("processes: {}", state.process_count));
    let busiest = state.busiest();
    let shown = busiest.iter().take(inner.height.into());
    let table = Table::new(
        shown.map(|(pid, process)| row(*pid, process)),
        [
            Constraint::Length(8),
            Constraint::Length(7),
            Constraint::Length(11),
            Constraint::Fill(1),
        ],
    )
    .header(
        Row::new(["PID", "CPU", "MEMORY", "NAME"].map(|title| {
            if title == "NAME" {
                Text::from(title)
            } else {
                Text::from(title).right_aligned()
            }
        }))
        .style(Modifier::DIM),
    );
    frame.render_widget(table, inner);
}

fn row(pid: u32, process: &Process) -> Row<'static> {
    Row::new([
        Text::from(pid.to_string()).right_aligned(),
        Text::from(percent(process.cpu_per_mille)).right_aligned(),
        Text::from(bytes(process.resident_bytes)).right_aligned(),
        Text::from(text::clean(&process.name, 60)),
    ])
}
