//! Scripts: what a subscription tells, and what the monitor makes of it.

use super::*;
use crate::host::change::{ApplyError, Change};

impl Monitor {
    /// What following the state makes of an update.
    ///
    /// # Errors
    /// The update does not belong to the state, which has been noted.
    pub(crate) fn update(&mut self, now: Duration, change: &Change) -> Result<(), ApplyError> {
        let mut next = self.state.clone().unwrap();
        let applied = next.apply(change);
        match &applied {
            Ok(()) => self.advanced(now, &next, 1),
            Err(error) => self.refused_update(now, &error.to_string()),
        }
        applied
    }
}

fn at(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

fn snapshot(sequence: u64) -> Snapshot {
    Snapshot {
        sequence,
        cpu_busy_per_mille: vec![100],
        ..Snapshot::default()
    }
}

/// The next sample after `sequence`, with another CPU share.
fn change(sequence: u64) -> Change {
    let next = Snapshot {
        cpu_busy_per_mille: vec![200],
        ..snapshot(sequence + 1)
    };
    Change::between(&snapshot(sequence), &next)
}

fn connected(sequence: u64) -> Monitor {
    let mut monitor = Monitor::new("test");
    monitor.attempting(at(1));
    monitor.connected(at(2), snapshot(sequence));
    monitor
}

fn outage(monitor: &Monitor) -> &Outage {
    match monitor.status() {
        Status::Disconnected(outage) => outage,
        Status::Connected { .. } => panic!("connected"),
    }
}

#[test]
fn updates_bring_the_state_up_to_date() {
    let mut monitor = connected(5);
    assert_eq!(monitor.status(), &Status::Connected { since: at(2) });
    monitor.update(at(3), &change(5)).unwrap();
    monitor.update(at(4), &change(6)).unwrap();
    let state = monitor.state().unwrap();
    assert_eq!((state.sequence, state.busy_per_mille()), (7, 200));
    let cpu: Vec<_> = monitor.histories().cpu.newest_first().collect();
    assert_eq!(cpu, [Some(200), Some(200), Some(100)]);
    assert_eq!((monitor.applied(), monitor.refused()), (2, 0));
}

#[test]
fn update_of_another_state_is_refused_and_breaks_the_check() {
    let mut monitor = connected(5);
    assert!(monitor.summary(at(3)).check_held());
    let refusal = monitor.update(at(3), &change(6)).unwrap_err();
    assert!(matches!(
        refusal,
        ApplyError::OutOfSequence {
            builds_on: 6,
            state: 5,
            ..
        }
    ));
    assert_eq!(monitor.state(), Some(&snapshot(5)));
    assert_eq!((monitor.applied(), monitor.refused()), (0, 1));
    assert!(!monitor.summary(at(4)).check_held());
}

#[test]
fn attempts_count_until_there_is_a_connection() {
    let mut monitor = Monitor::new("test");
    assert_eq!(outage(&monitor).attempts, 0);
    monitor.attempting(at(1));
    assert_eq!(outage(&monitor).phase, OutagePhase::Attempting);
    monitor.failed(at(2), "refused");
    monitor.attempting(at(3));
    assert_eq!(
        outage(&monitor),
        &Outage {
            since: at(0),
            cause: OutageCause::NeverConnected,
            attempts: 2,
            phase: OutagePhase::Attempting,
            last_failure: Some("refused".to_owned()),
        }
    );
    monitor.connected(at(4), snapshot(1));
    monitor.lost(at(5));
    monitor.attempting(at(6));
    let outage = outage(&monitor);
    assert_eq!((outage.since, outage.attempts), (at(5), 1));
    assert_eq!(outage.cause, OutageCause::Lost);
    assert_eq!(outage.last_failure, None);
}

#[test]
fn last_state_is_kept_while_disconnected_and_replaced_by_the_next_snapshot() {
    let mut monitor = connected(50);
    monitor.lost(at(3));
    assert_eq!(monitor.state(), Some(&snapshot(50)));
    monitor.attempting(at(4));
    // The server began again: its numbers did, too.
    monitor.connected(at(5), snapshot(1));
    assert_eq!(monitor.state(), Some(&snapshot(1)));
    monitor.update(at(6), &change(1)).unwrap();
    // A straggler of the server before.
    monitor.update(at(7), &change(50)).unwrap_err();
    assert_eq!((monitor.applied(), monitor.refused()), (1, 1));
}

#[test]
fn recovery_takes_a_loss_a_fresh_snapshot_and_an_update() {
    let mut monitor = connected(1);
    monitor.update(at(3), &change(1)).unwrap();
    let recovered = |monitor: &Monitor| monitor.summary(at(100)).recovered;
    assert!(!recovered(&monitor));
    monitor.lost(at(4));
    monitor.attempting(at(5));
    assert!(!recovered(&monitor));
    monitor.connected(at(6), snapshot(1));
    assert!(!recovered(&monitor));
    monitor.update(at(7), &change(1)).unwrap();
    assert!(recovered(&monitor));
    assert_eq!(
        monitor.summary(at(100)).losses,
        [Loss {
            at: at(4),
            applied_before: 1,
            back_at: Some(at(6)),
            attempts: 1,
            applied_after: 1,
        }]
    );
}

#[test]
fn loss_that_nobody_reported_is_seen_at_the_next_attempt() {
    let mut monitor = connected(1);
    monitor.attempting(at(9));
    assert_eq!(outage(&monitor).since, at(9));
    assert_eq!(monitor.losses(), 1);
}

#[test]
fn text_of_a_peer_is_cleaned_and_cut_where_it_comes_in() {
    let mut monitor = Monitor::new("a\x1bb");
    assert_eq!(monitor.server(), "a?b");
    monitor.attempting(at(1));
    monitor.failed(at(2), &"\n".repeat(100_000));
    let kept = outage(&monitor).last_failure.as_ref().unwrap();
    assert!(kept.chars().count() == MAX_TEXT && kept.starts_with("??"));
}

#[test]
fn endless_flapping_holds_a_bounded_amount() {
    let mut monitor = Monitor::new("test");
    let rounds = u64::try_from(Monitor::MAX_LOSSES).unwrap() + 3;
    for round in 0..rounds {
        monitor.attempting(at(round));
        monitor.connected(at(round), snapshot(1));
        monitor.update(at(round), &change(1)).unwrap();
        monitor.lost(at(round));
    }
    let summary = monitor.summary(at(rounds));
    assert_eq!(summary.losses.len(), Monitor::MAX_LOSSES);
    assert_eq!(monitor.losses(), Monitor::MAX_LOSSES + 3);
    assert_eq!(monitor.log().iter().len(), Log::CAPACITY);
    assert_eq!(monitor.applied(), rounds);
    assert!(summary.recovered);
}
