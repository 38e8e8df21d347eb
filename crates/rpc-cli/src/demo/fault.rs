//! What goes wrong in the demo.

use std::time::Duration;

/// Something that goes wrong, and is repaired some seconds later.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// The server process is killed; another one comes up on its port.
    Kill,
    /// The server process is stopped, and continued: its socket stays open.
    Freeze,
    /// The network path loses everything, and tells nobody.
    Cut,
    /// The server shuts down, and another one comes up elsewhere.
    Move,
}

impl Fault {
    /// All of them, in the order of the demo.
    pub(crate) const ALL: [Self; 4] = [Self::Kill, Self::Freeze, Self::Cut, Self::Move];

    /// The key that makes it happen.
    pub(crate) const fn key(self) -> char {
        match self {
            Self::Kill => 'k',
            Self::Freeze => 'f',
            Self::Cut => 'c',
            Self::Move => 'm',
        }
    }

    /// The one that this key makes happen.
    pub(crate) fn of_key(key: char) -> Option<Self> {
        let key = key.to_ascii_lowercase();
        Self::ALL.into_iter().find(|fault| fault.key() == key)
    }

    /// What happens, and how it is repaired.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Kill => "server killed, restarted",
            Self::Freeze => "server frozen, thawed",
            Self::Cut => "network cut, mended",
            Self::Move => "server gone, back elsewhere",
        }
    }
}

/// A fault that happened. Times are those of the watching.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Record {
    /// Which one.
    pub(crate) fault: Fault,
    /// When it happened.
    pub(crate) at: Duration,
    /// When it was repaired, if it has been.
    pub(crate) repaired: Option<Duration>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_fault_has_a_key_of_its_own() {
        for fault in Fault::ALL {
            assert_eq!(Fault::of_key(fault.key()), Some(fault));
            let upper = fault.key().to_ascii_uppercase();
            assert_eq!(Fault::of_key(upper), Some(fault));
        }
        // The one to leave.
        assert_eq!(Fault::of_key('q'), None);
    }
}
