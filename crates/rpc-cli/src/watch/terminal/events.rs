//! The last things that happened to the subscription.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::style::{Color, Style};
use ratatui::text::Line;

use super::section;
use crate::watch::event::{EventKind, Log};

/// Draws the newest events, the newest at the bottom.
pub(super) fn draw(frame: &mut Frame<'_>, area: Rect, log: &Log) {
    let inner = section(frame, area, "events");
    let newest = log.iter().rev().take(inner.height.into());
    for (event, row) in newest.rev().zip(inner.rows()) {
        let style = match &event.kind {
            EventKind::Connected { .. } => Style::new().fg(Color::Green),
            EventKind::Lost { .. } => Style::new().fg(Color::Red),
            EventKind::Failed { .. } => Style::new().fg(Color::Yellow),
            EventKind::Updates(updates) if updates.refused > 0 => Style::new().fg(Color::Red),
            EventKind::Note(_) => Style::new().fg(Color::Cyan),
            EventKind::Attempting { .. } | EventKind::Updates(_) => Style::new(),
        };
        frame.render_widget(Line::styled(event.to_string(), style), row);
    }
}
