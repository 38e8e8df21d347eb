//! When to send a heartbeat, and when to give up a silent peer: a function of state and now.
//!
//! Whether the peer is dead is examined only when a heartbeat is about to be sent
//! (rule C-HB-2), so detection happens at the first send moment after the timeout.

use std::time::Duration;

use tokio::time::Instant;

/// When heartbeats are sent and what silence is tolerated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Config {
    send_every: Option<Duration>,
    timeout: Duration,
    min_timeout: Duration,
    style: TimeoutStyle,
}

/// How a peer's silence is measured.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TimeoutStyle {
    /// By the time since its last message. The reference's default.
    #[default]
    TimeBetweenHeartbeats,
    /// By the number of heartbeats that we sent since its last message: a machine that was
    /// suspended does not give up its peers when it wakes.
    NumberOfHeartbeats,
}

impl Default for Config {
    /// A heartbeat every 10 s; given up after 30 s.
    fn default() -> Self {
        Self {
            send_every: Some(Duration::from_secs(10)),
            timeout: Duration::from_secs(30),
            min_timeout: Duration::ZERO,
            style: TimeoutStyle::default(),
        }
    }
}

impl Config {
    /// The timeout, and the least that it may be.
    pub(super) fn timeouts(&self) -> (Duration, Duration) {
        (self.timeout, self.min_timeout)
    }

    /// With a minimum of at least this.
    pub(super) fn lengthened(self, timeout: Duration) -> Self {
        self.min_timeout(timeout.max(self.min_timeout))
    }

    /// The interval of heartbeats. Default 10 s. An interval of zero means 1 ms, one that is
    /// longer than time can be counted means one heartbeat at the start.
    #[must_use]
    pub fn send_every(mut self, interval: Duration) -> Self {
        self.send_every = Some(interval.max(Duration::from_millis(1)));
        self
    }

    /// The silence after which the peer is given up, found at the next heartbeat. Default 30 s.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// How silence is measured.
    #[must_use]
    pub fn style(mut self, style: TimeoutStyle) -> Self {
        self.style = style;
        self
    }

    /// A lower bound for the timeout, whatever is configured or
    /// [changed](crate::Connection::set_heartbeat_timeout): it can only lengthen (rule C-HB-8).
    /// Default: none. See [`Environment`](crate::Environment) for its usual source.
    #[must_use]
    pub fn min_timeout(mut self, timeout: Duration) -> Self {
        self.min_timeout = timeout;
        self
    }

    /// No heartbeats are sent, hence no peer is ever given up (rule C-HB-11). A peer with
    /// heartbeats will give *us* up.
    #[must_use]
    pub fn never(mut self) -> Self {
        self.send_every = None;
        self
    }
}

/// The state of one connection's heartbeats.
#[derive(Debug)]
pub(crate) struct Heartbeat {
    send_every: Option<Duration>,
    style: TimeoutStyle,
    next: Option<Instant>,
    unanswered: u32,
}

/// What to do about heartbeats now.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Next {
    /// Send one, and ask again.
    Send,
    /// Nothing before this time.
    SleepUntil(Instant),
    /// Nothing ever.
    Sleep,
    /// The peer is dead; the text says why.
    GiveUp(String),
}

/// What is known of the peer at a moment.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Silence {
    pub(crate) last_seen: Instant,
    /// What is tolerated.
    pub(crate) timeout: Duration,
}

impl Heartbeat {
    /// The first heartbeat is due at once (rule C-OP-2).
    pub(crate) fn new(config: Config, now: Instant) -> Self {
        Self {
            send_every: config.send_every,
            style: config.style,
            next: config.send_every.map(|_| now),
            unanswered: 0,
        }
    }

    /// A batch of messages, of any kind, has been handled (rule C-HB-5).
    pub(crate) fn seen(&mut self) {
        self.unanswered = 0;
    }

    /// When to ask [`poll`](Self::poll) next.
    pub(crate) fn next_check(&self) -> Option<Instant> {
        self.next
    }

    pub(crate) fn poll(&mut self, now: Instant, silence: Silence) -> Next {
        let (Some(next), Some(send_every)) = (self.next, self.send_every) else {
            return Next::Sleep;
        };
        if now < next {
            return Next::SleepUntil(next);
        }
        let Silence { last_seen, timeout } = silence;
        let silent = now.saturating_duration_since(last_seen);
        let dead = match self.style {
            TimeoutStyle::TimeBetweenHeartbeats => silent > timeout,
            TimeoutStyle::NumberOfHeartbeats => self.unanswered >= threshold(timeout, send_every),
        };
        if dead {
            self.next = None;
            return Next::GiveUp(match self.style {
                TimeoutStyle::TimeBetweenHeartbeats => {
                    format!("No heartbeats received for {timeout:?}. Last seen {silent:?} ago.")
                }
                TimeoutStyle::NumberOfHeartbeats => format!(
                    "No heartbeats received after {} were sent. Last seen {silent:?} ago.",
                    self.unanswered
                ),
            });
        }
        self.unanswered = self.unanswered.saturating_add(1);
        // Counted from the start, not from the last sending (rule C-HB-1); moments that passed
        // while nothing ran are not made up for.
        let missed = (now - next).as_nanos() / send_every.as_nanos() + 1;
        let missed = u32::try_from(missed).unwrap_or(u32::MAX);
        self.next = send_every
            .checked_mul(missed)
            .and_then(|later| next.checked_add(later));
        Next::Send
    }
}

/// Heartbeats after which the peer is dead in the second style: at least 1 (rule C-HB-4).
fn threshold(timeout: Duration, send_every: Duration) -> u32 {
    let count = timeout.as_nanos().div_ceil(send_every.as_nanos());
    u32::try_from(count.max(1)).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    /// Runs a silent peer and returns the seconds at which heartbeats were sent, and the one at
    /// which the peer was given up.
    fn silent_peer(config: Config, horizon: u32) -> (Vec<u32>, Option<u32>) {
        let start = Instant::now();
        let mut heartbeat = Heartbeat::new(config, start);
        let silence = Silence {
            last_seen: start,
            timeout: config.timeout,
        };
        let mut sent = Vec::new();
        for second in 0..=horizon {
            loop {
                match heartbeat.poll(start + SECOND * second, silence) {
                    Next::Send => sent.push(second),
                    Next::GiveUp(_) => return (sent, Some(second)),
                    Next::SleepUntil(_) | Next::Sleep => break,
                }
            }
        }
        (sent, None)
    }

    /// C-HB-1, C-HB-3: the checks at 10, 20 and 30 s pass, the one at 40 s closes.
    #[test]
    fn default_gives_up_at_forty_seconds() {
        let (sent, dead) = silent_peer(Config::default(), 100);
        assert_eq!((sent, dead), (vec![0, 10, 20, 30], Some(40)));
    }

    /// C-HB-4: three are sent without answer, the connection closes when the fourth is due.
    #[test]
    fn counting_style_gives_up_when_the_fourth_is_due() {
        let config = Config::default().style(TimeoutStyle::NumberOfHeartbeats);
        assert_eq!(silent_peer(config, 100), (vec![0, 10, 20], Some(30)));
    }

    /// C-HB-4: the threshold is rounded up, and at least 1.
    #[test]
    fn threshold_is_rounded_up() {
        let config = Config::default().style(TimeoutStyle::NumberOfHeartbeats);
        let dead = |timeout| silent_peer(config.timeout(timeout), 100).1;
        assert_eq!(dead(SECOND * 21), Some(30));
        assert_eq!(dead(SECOND * 20), Some(20));
        assert_eq!(dead(Duration::ZERO), Some(10));
    }

    /// C-HB-5.
    #[test]
    fn any_message_is_a_sign_of_life() {
        for style in [
            TimeoutStyle::TimeBetweenHeartbeats,
            TimeoutStyle::NumberOfHeartbeats,
        ] {
            let start = Instant::now();
            let mut heartbeat = Heartbeat::new(Config::default().style(style), start);
            let mut silence = Silence {
                last_seen: start,
                timeout: Config::default().timeout,
            };
            for second in 0..1000 {
                let now = start + SECOND * second;
                if second % 29 == 0 {
                    silence.last_seen = now;
                    heartbeat.seen();
                }
                assert!(
                    !matches!(heartbeat.poll(now, silence), Next::GiveUp(_)),
                    "{second}"
                );
            }
        }
    }

    /// G4, G5: a computer that was suspended gives nobody up in the second style.
    #[test]
    fn jump_of_the_clock_is_silence_in_the_first_style_only() {
        for (style, dead) in [
            (TimeoutStyle::TimeBetweenHeartbeats, true),
            (TimeoutStyle::NumberOfHeartbeats, false),
        ] {
            let start = Instant::now();
            let config = Config::default().style(style).send_every(4 * SECOND);
            let mut heartbeat = Heartbeat::new(config, start);
            let silence = Silence {
                last_seen: start,
                timeout: 15 * SECOND,
            };
            assert_eq!(heartbeat.poll(start, silence), Next::Send);
            let next = heartbeat.poll(start + 25 * SECOND, silence);
            assert_eq!(matches!(next, Next::GiveUp(_)), dead, "{next:?}");
        }
    }

    /// C-HB-11.
    #[test]
    fn never_sends_and_never_gives_up() {
        assert_eq!(silent_peer(Config::default().never(), 1000), (vec![], None));
    }
}
