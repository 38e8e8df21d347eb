//! One line with a label, a value and the history of the value as a small graph.

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::{Color, Stylize};
use ratatui::text::Line;
use ratatui::widgets::{RenderDirection, Sparkline};

use crate::watch::history::History;

/// How high a graph is at its top.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Scale {
    /// As high as this value.
    UpTo(u64),
    /// As high as the greatest value in sight, but not less than this value: a trickle should look
    /// like one.
    AtLeast(u64),
}

/// Draws the line. The newest value is at the right; a gap is a time without a connection.
pub(super) fn draw(
    frame: &mut Frame<'_>,
    area: Rect,
    label: &str,
    value: &str,
    (history, scale): (&History, Scale),
) {
    let [text, graph] =
        Layout::horizontal([Constraint::Length(20), Constraint::Fill(1)]).areas(area);
    frame.render_widget(Line::from(format!("{label:<5}{value:>14}")), text);
    let visible = || history.newest_first().take(graph.width.into());
    let top = match scale {
        Scale::UpTo(top) => top,
        Scale::AtLeast(least) => visible().flatten().fold(least, u64::max),
    };
    let bars = visible().map(|value| value.map(|value| height_in_steps(value, top)));
    let sparkline = Sparkline::default()
        .data(bars)
        .max(STEPS)
        .direction(RenderDirection::RightToLeft)
        .absent_value_symbol("╳")
        .absent_value_style(Color::Red)
        .fg(Color::Cyan);
    frame.render_widget(sparkline, graph);
}

/// The height of a bar. Scaled here because the widget multiplies values, and a peer chose them.
fn height_in_steps(value: u64, top: u64) -> u64 {
    let steps = (u128::from(value) * u128::from(STEPS))
        .checked_div(u128::from(top))
        .unwrap_or(0);
    u64::try_from(steps).unwrap_or(STEPS).min(STEPS)
}

const STEPS: u64 = 1000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bars_stay_within_the_graph() {
        assert_eq!(height_in_steps(0, 0), 0);
        assert_eq!(height_in_steps(5, 10), 500);
        assert_eq!(height_in_steps(u64::MAX, 1), STEPS);
        assert_eq!(height_in_steps(u64::MAX, u64::MAX), STEPS);
    }
}
