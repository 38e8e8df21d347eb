//! What happens to a persistent connection.

/// What happens to a persistent connection whose addresses are `A` and whose attempts fail with
/// `E`.
///
/// ```text
/// cycle  = AttemptingToConnect ( ObtainedAddress | FailedToConnect )* Connected Disconnected
/// events = cycle*                     cut before any event by closing, but for Disconnected
/// ```
///
/// Within a cycle, only what differs from before is told: an address that is not the last one, an
/// error that is not equal to the last one (rules P-CY-2, P-CY-3).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event<A, E> {
    /// A cycle begins.
    AttemptingToConnect,
    /// Where the server is, as far as is known.
    ObtainedAddress(A),
    /// An attempt failed, either the lookup of the address or connecting to it.
    FailedToConnect(E),
    /// There is a connection.
    Connected,
    /// It has finished closing.
    Disconnected,
}

impl<A, E> Event<A, E> {
    /// What the reference calls it.
    pub(super) const fn name(&self) -> &'static str {
        match self {
            Self::AttemptingToConnect => "Attempting_to_connect",
            Self::ObtainedAddress(_) => "Obtained_address",
            Self::FailedToConnect(_) => "Failed_to_connect",
            Self::Connected => "Connected",
            Self::Disconnected => "Disconnected",
        }
    }
}

impl<A, E: Clone> Event<A, E> {
    pub(super) fn without_address(&self) -> Event<(), E> {
        match self {
            Self::AttemptingToConnect => Event::AttemptingToConnect,
            Self::ObtainedAddress(_) => Event::ObtainedAddress(()),
            Self::FailedToConnect(error) => Event::FailedToConnect(error.clone()),
            Self::Connected => Event::Connected,
            Self::Disconnected => Event::Disconnected,
        }
    }
}
