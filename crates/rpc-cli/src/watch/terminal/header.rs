//! The two lines at the top: who is watched, and whether there is a connection.

use std::time::Duration;

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::style::{Color, Style, Stylize};
use ratatui::text::{Line, Span};

use crate::watch::monitor::{Monitor, OutageCause, OutagePhase, Status};
use crate::watch::text;
use crate::watch::units::{counted, span};

/// Draws the line that names the server and its host.
pub(super) fn draw_title(frame: &mut Frame<'_>, area: Rect, monitor: &Monitor) {
    let mut title = vec![format!(" {}", monitor.server()).bold()];
    if let Some(state) = monitor.state() {
        title.push(format!("  {}", text::clean(&state.host_name, 40)).into());
        let uptime = span(Duration::from_secs(state.uptime_seconds));
        title.push(format!("  up {uptime}  sequence {}", state.sequence).into());
    }
    frame.render_widget(Line::from(title), area);
    let quit = " q: quit ";
    let room = area.width.saturating_sub(60);
    if usize::from(room) > quit.len() {
        frame.render_widget(Line::from(quit.dim()).right_aligned(), area);
    }
}

/// Draws the line that tells whether there is a connection, on a colour that tells it from afar.
pub(super) fn draw_status(frame: &mut Frame<'_>, area: Rect, monitor: &Monitor, now: Duration) {
    let (text, colour) = match monitor.status() {
        Status::Connected { since } => (
            format!(
                " CONNECTED for {}  connection {}  {}  {}",
                span(now.saturating_sub(*since)),
                monitor.connections(),
                counted(monitor.applied(), "update"),
                match monitor.losses() {
                    0 => "nothing lost".to_owned(),
                    1 => "lost once".to_owned(),
                    more => format!("lost {more} times"),
                }
            ),
            Color::Green,
        ),
        Status::Disconnected(outage) => {
            let since = span(now.saturating_sub(outage.since));
            let (what, colour) = match outage.cause {
                OutageCause::Lost => (format!(" LOST {since} ago"), Color::Red),
                OutageCause::NeverConnected => {
                    (format!(" NO CONNECTION for {since}"), Color::Yellow)
                }
            };
            let attempts = match (outage.attempts, outage.phase) {
                (0, _) => String::new(),
                (attempt, OutagePhase::Attempting) => format!("  attempt {attempt} under way"),
                (attempt, OutagePhase::Waiting) => format!("  attempt {attempt} failed"),
            };
            let failure = match &outage.last_failure {
                Some(reason) => format!("  ({reason})"),
                None => String::new(),
            };
            (format!("{what}{attempts}{failure}"), colour)
        }
    };
    let mut line = Line::from(text);
    if monitor.refused() > 0 {
        let refused = format!("  {} REFUSED ", counted(monitor.refused(), "update"));
        line.push_span(Span::styled(refused, Style::new().white().on_red()));
    }
    frame.render_widget(
        line.style(Style::new().bold().fg(Color::Black).bg(colour)),
        area,
    );
}
