//! Takes the terminal, and gives it back as it was.

use std::io;
use std::time::Duration;

use ratatui::DefaultTerminal;

use super::draw;
use crate::watch::monitor::Monitor;

/// The terminal in raw mode, on its alternate screen.
///
/// Dropping it restores the terminal. So does a panic, before its message is printed.
#[derive(Debug)]
pub(crate) struct Screen {
    terminal: DefaultTerminal,
}

impl Screen {
    /// Takes the terminal of standard output. There should be one screen at a time.
    ///
    /// # Errors
    /// If standard output is not a terminal, or refuses. The terminal is then as it was.
    pub(crate) fn try_open() -> io::Result<Self> {
        match ratatui::try_init() {
            Ok(terminal) => Ok(Self { terminal }),
            Err(error) => {
                restore();
                Err(error)
            }
        }
    }

    /// Shows what is known at the time `now`. Only what changed is written to the terminal.
    ///
    /// # Errors
    /// If the terminal cannot be written to.
    pub(crate) fn draw(&mut self, monitor: &Monitor, now: Duration) -> io::Result<()> {
        self.terminal.draw(|frame| draw(frame, monitor, now))?;
        Ok(())
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        if std::thread::panicking() {
            // The panic hook restored it already. Once more, and the message is written over.
            return;
        }
        // The cursor first: leaving the alternate screen does not bring it back.
        let _gone = self.terminal.show_cursor();
        restore();
    }
}

/// There is nothing left to do about a terminal that refuses to be restored.
fn restore() {
    let _gone = ratatui::try_restore();
}
