//! Panics of tasks that nobody waits for would be overlooked: they are noted as they happen.

use std::cell::RefCell;
use std::panic;
use std::sync::Once;

/// What handlers say that are made to raise.
pub const INJECTED: &str = "injected by the adversary";

thread_local! {
    /// While this thread simulates: what its panics said.
    static NOTED: RefCell<Option<Vec<String>>> = const { RefCell::new(None) };
}

/// From now on this thread's panics are noted, in place of being printed.
pub fn watch() {
    static HOOKED: Once = Once::new();
    HOOKED.call_once(|| {
        let before = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            let noted = NOTED.with_borrow_mut(|noted| match noted {
                Some(noted) => {
                    let text = info.to_string();
                    if !text.contains(INJECTED) {
                        noted.push(text);
                    }
                    true
                }
                None => false,
            });
            if !noted {
                before(info);
            }
        }));
    });
    NOTED.set(Some(Vec::new()));
}

/// What this thread's panics have said since then. From now on they are printed again.
pub fn take() -> Vec<String> {
    NOTED.take().unwrap_or_default()
}
