//! The live view of a watched host in a terminal.
//!
//! ```text
//! title     server, host, sequence number
//! status    connected since, or LOST since and what is being done about it
//! gauges    a bar per CPU | history of CPU, memory and load, memory and swap
//! middle    busiest processes | network and disk traffic with histories
//! events    the last things that happened
//! ```
//!
//! [`draw`] is a function of the monitor and the time; only [`Screen`] touches the terminal. What
//! has no room is left out, from the bottom upwards.

mod events;
mod gauges;
mod graph;
mod header;
mod processes;
mod screen;
mod traffic;

use std::time::Duration;

use crossterm::event::{Event, KeyCode, KeyEventKind, KeyModifiers};
use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::{Modifier, Style};
use ratatui::widgets::{Block, Borders};

pub(crate) use self::screen::Screen;

use super::monitor::{Monitor, Status};
use crate::host::snapshot::Snapshot;

/// Draws everything that is known at the time `now`, in whatever room there is.
pub(crate) fn draw(frame: &mut Frame<'_>, monitor: &Monitor, now: Duration) {
    let height = frame.area().height;
    let events_height = if height < SMALL { 0 } else { height / 5 + 1 };
    let gauges_height = monitor
        .state()
        .map_or(0, |state| gauges::height(state, frame.area()));
    let [title, status, gauges, middle, events] = Layout::vertical([
        Constraint::Length(1),
        Constraint::Length(1),
        Constraint::Length(gauges_height),
        Constraint::Fill(1),
        Constraint::Length(events_height),
    ])
    .areas(frame.area());

    header::draw_title(frame, title, monitor);
    header::draw_status(frame, status, monitor, now);
    events::draw(frame, events, monitor.log());
    let Some(state) = monitor.state() else {
        return;
    };
    gauges::draw(frame, gauges, state, monitor.histories());
    draw_middle(frame, middle, state, monitor);
    if matches!(monitor.status(), Status::Disconnected(_)) {
        // What is shown is the last state that was seen, and nobody knows whether it still holds.
        let stale = Style::new().add_modifier(Modifier::DIM);
        frame.buffer_mut().set_style(gauges, stale);
        frame.buffer_mut().set_style(middle, stale);
    }
}

/// Whether the user wants to leave: `q`, or Ctrl-C, which is a key like others in a raw terminal.
pub(crate) fn is_quit(event: &Event) -> bool {
    let Event::Key(key) = event else {
        return false;
    };
    match key.code {
        _ if key.kind == KeyEventKind::Release => false,
        KeyCode::Char('c') => key.modifiers.contains(KeyModifiers::CONTROL),
        KeyCode::Char('q' | 'Q') => true,
        _ => false,
    }
}

/// The character of a key that was pressed, if it has one.
pub(crate) fn pressed_key(event: &Event) -> Option<char> {
    match event {
        Event::Key(key) if key.kind != KeyEventKind::Release => key.code.as_char(),
        _ => None,
    }
}

fn draw_middle(frame: &mut Frame<'_>, area: Rect, state: &Snapshot, monitor: &Monitor) {
    let [left, right] = two_columns(area);
    processes::draw(frame, left, state);
    traffic::draw(frame, right, state, monitor.histories());
}

/// Two halves with a gap between them; everything for the left one where it is narrow.
fn two_columns(area: Rect) -> [Rect; 2] {
    if area.width < NARROW {
        return [area, Rect::ZERO];
    }
    Layout::horizontal([Constraint::Fill(1), Constraint::Fill(1)])
        .spacing(2)
        .areas(area)
}

/// Draws the line that begins a part of the view, and returns the room below it.
fn section(frame: &mut Frame<'_>, area: Rect, title: &str) -> Rect {
    let block = Block::new()
        .borders(Borders::TOP)
        .border_style(Modifier::DIM)
        .title(format!(" {title} "));
    let inner = block.inner(area);
    frame.render_widget(block, area);
    inner
}

/// Fewer rows than this are for what is most important.
const SMALL: u16 = 14;

/// Fewer columns than this are not divided.
const NARROW: u16 = 60;

#[cfg(test)]
mod tests;
