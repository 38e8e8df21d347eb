//! What a peer may make us hold or wait for, by name, and how often each limit was met.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};

/// Something that a peer is not allowed more of.
///
/// All are ours: the reference has none of them, except the time of a handshake's steps, the
/// size of messages and the silence.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
#[repr(usize)]
pub enum Limit {
    /// [`Config::handshake_timeout`](super::Config::handshake_timeout) or
    /// [`Config::handshake_deadline`](super::Config::handshake_deadline): no connection.
    HandshakeTime,
    /// [`Config::max_peer_metadata`](super::Config::max_peer_metadata): no connection.
    PeerMetadata,
    /// [`Config::max_message_size`](super::Config::max_message_size), by a message that the peer
    /// sent: the connection ends.
    MessageSize,
    /// [`Config::max_open_queries`](super::Config::max_open_queries): the query is refused.
    OpenQueries,
    /// [`Config::max_served_streams`](super::Config::max_served_streams): the query is refused.
    ServedStreams,
    /// [`Config::max_query_rate`](super::Config::max_query_rate): the query is refused.
    QueryRate,
    /// [`Config::max_buffered_output`](super::Config::max_buffered_output), by answers: the
    /// connection ends.
    BufferedOutput,
    /// [`Config::write_timeout`](super::Config::write_timeout): the connection ends.
    UnsentAge,
    /// The [heartbeat timeout](super::heartbeat::Config): the connection ends.
    Silence,
    /// [`ServerBuilder::max_connections`](crate::ServerBuilder::max_connections) or
    /// [`ServerBuilder::refuse_beyond`](crate::ServerBuilder::refuse_beyond): the client waits, or
    /// is told.
    Connections,
    /// [`ServerBuilder::max_connections_per_address`](crate::ServerBuilder::max_connections_per_address):
    /// the client is told.
    ConnectionsPerAddress,
    /// [`ServerBuilder::max_handshakes`](crate::ServerBuilder::max_handshakes): clients wait.
    Handshakes,
}

impl Limit {
    /// Every limit.
    pub const ALL: [Self; 12] = [
        Self::HandshakeTime,
        Self::PeerMetadata,
        Self::MessageSize,
        Self::OpenQueries,
        Self::ServedStreams,
        Self::QueryRate,
        Self::BufferedOutput,
        Self::UnsentAge,
        Self::Silence,
        Self::Connections,
        Self::ConnectionsPerAddress,
        Self::Handshakes,
    ];

    /// The name under which a metric may show it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::HandshakeTime => "handshake_time",
            Self::PeerMetadata => "peer_metadata",
            Self::MessageSize => "message_size",
            Self::OpenQueries => "open_queries",
            Self::ServedStreams => "served_streams",
            Self::QueryRate => "query_rate",
            Self::BufferedOutput => "buffered_output",
            Self::UnsentAge => "unsent_age",
            Self::Silence => "silence",
            Self::Connections => "connections",
            Self::ConnectionsPerAddress => "connections_per_address",
            Self::Handshakes => "handshakes",
        }
    }
}

/// How often each limit was met, by all connections whose [`Config`](super::Config) is a copy of
/// the same one: those of a [`Server`](crate::Server), for example.
///
/// ```
/// use rpc_core::connection::{Config, Limit};
///
/// let config = Config::default();
/// let met = config.limits_met().clone();
/// assert_eq!(met.times(Limit::QueryRate), 0);
/// ```
#[derive(Default)]
pub struct LimitsMet([AtomicU64; Limit::ALL.len()]);

impl LimitsMet {
    /// How often this one was, so far.
    pub fn times(&self, limit: Limit) -> u64 {
        self.0[limit as usize].load(Ordering::Relaxed)
    }

    /// All of them with their counts.
    pub fn iter(&self) -> impl Iterator<Item = (Limit, u64)> + '_ {
        Limit::ALL
            .into_iter()
            .map(|limit| (limit, self.times(limit)))
    }

    pub(crate) fn add(&self, limit: Limit) {
        self.0[limit as usize].fetch_add(1, Ordering::Relaxed);
    }
}

impl fmt::Debug for LimitsMet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let met = self.iter().filter(|(_, times)| *times > 0);
        f.debug_map().entries(met).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_limit_has_a_place_and_a_name_of_its_own() {
        for (place, limit) in Limit::ALL.into_iter().enumerate() {
            assert_eq!(limit as usize, place);
            let same = Limit::ALL.iter().filter(|l| l.name() == limit.name());
            assert_eq!(same.count(), 1, "{limit:?}");
        }
        let met = LimitsMet::default();
        met.add(Limit::Silence);
        assert_eq!(met.times(Limit::Silence), 1);
        assert_eq!(met.iter().map(|(_, times)| times).sum::<u64>(), 1);
    }
}
