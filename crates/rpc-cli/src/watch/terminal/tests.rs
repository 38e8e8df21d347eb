//! What a person sees, at the sizes that terminals have.

use std::collections::BTreeMap;

use crossterm::event::{KeyEvent, KeyEventState};
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::style::Color;

use super::*;
use crate::host::change::Change;
use crate::host::snapshot::{DiskRates, Load, Memory, NetworkRates, Process};

fn at(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

fn snapshot(sequence: u64) -> Snapshot {
    let process = |name: &str, cpu_per_mille| Process {
        name: name.to_owned(),
        cpu_per_mille,
        resident_bytes: 123 << 20,
    };
    let network = NetworkRates {
        received_bytes_per_second: sequence * 1024,
        sent_bytes_per_second: 100,
    };
    let disk = DiskRates {
        read_bytes_per_second: 5,
        written_bytes_per_second: 7 << 20,
    };
    Snapshot {
        sequence,
        host_name: "build\x1b[31mbox".to_owned(),
        uptime_seconds: 90_000,
        cpu_busy_per_mille: vec![452, 1000, 0, 700],
        memory: Memory {
            total_bytes: 16 << 30,
            used_bytes: 4 << 30,
            available_bytes: 12 << 30,
            ..Memory::default()
        },
        load: Load {
            one_minute_hundredths: 142,
            five_minutes_hundredths: 99,
            fifteen_minutes_hundredths: 50,
        },
        process_count: 321,
        processes: BTreeMap::from([
            (10, process("rustc", 1998)),
            (11, process("\x1b]0;evil\x07", 20)),
        ]),
        networks: BTreeMap::from([("eth0".to_owned(), network)]),
        disks: BTreeMap::from([("/dev/sda".to_owned(), disk)]),
    }
}

fn connected() -> Monitor {
    let mut monitor = Monitor::new("127.0.0.1:8080");
    monitor.attempting(at(1));
    monitor.connected(at(2), snapshot(1));
    for sequence in 1..30 {
        let change = Change::between(&snapshot(sequence), &snapshot(sequence + 1));
        monitor.update(at(100 * sequence), &change).unwrap();
    }
    monitor
}

fn lost() -> Monitor {
    let mut monitor = connected();
    monitor.lost(at(3_000));
    monitor.attempting(at(3_001));
    monitor.failed(at(3_002), "connection refused");
    monitor.attempting(at(4_002));
    monitor
}

fn terminal(monitor: &Monitor, (width, height): (u16, u16)) -> Terminal<TestBackend> {
    let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
    terminal
        .draw(|frame| draw(frame, monitor, at(5_000)))
        .unwrap();
    terminal
}

fn screen(monitor: &Monitor, size: (u16, u16)) -> String {
    terminal(monitor, size).backend().to_string()
}

#[track_caller]
fn check(screen: &str, expected: &[&str]) {
    for text in expected {
        assert!(screen.contains(text), "{text:?} is missing in\n{screen}");
    }
    assert!(!screen.chars().any(|c| c.is_control() && c != '\n'));
}

#[test]
fn everything_important_is_seen_while_connected() {
    for size in [(80, 24), (120, 40)] {
        check(
            &screen(&connected(), size),
            &[
                "127.0.0.1:8080",
                "build?[31mbox",
                "up 1 d 01 h",
                "sequence 30",
                "CONNECTED for 4.9 s",
                "connection 1",
                "29 updates",
                "45.2%",
                "100.0%",
                "memory 4.0 GiB of 16.0 GiB",
                "no swap",
                "1.42 0.99 0.50",
                "processes: 321",
                "199.8%",
                "rustc",
                "?]0;evil?",
                "30.0 KiB/s",
                "7.0 MiB/s",
                "▃▃▃▄▄▄",
                "eth0",
                "29 updates applied, sequence 30",
            ],
        );
    }
}

#[test]
fn loss_is_seen_from_afar_and_the_last_state_stays_dimmed() {
    for size in [(80, 24), (120, 40)] {
        let terminal = terminal(&lost(), size);
        check(
            &terminal.backend().to_string(),
            &[
                "LOST 2.0 s ago",
                "attempt 2 under way",
                "(connection refused)",
                "LOST connection 1 after 29 updates",
                "attempt 1 failed: connection refused",
                "rustc",
                "╳",
            ],
        );
        let buffer = terminal.backend().buffer();
        assert!((0..size.0).all(|x| buffer[(x, 1)].bg == Color::Red));
        assert!(buffer[(0, 10)].modifier.contains(Modifier::DIM));
    }
}

#[test]
fn view_without_a_state_tells_what_is_being_tried() {
    let mut monitor = Monitor::new("nowhere:1");
    monitor.attempting(at(1));
    monitor.failed(at(2), "no such host");
    check(
        &screen(&monitor, (80, 24)),
        &[
            "nowhere:1",
            "NO CONNECTION for 5.0 s",
            "attempt 1 failed",
            "(no such host)",
        ],
    );
}

#[test]
fn refused_update_is_seen() {
    let mut monitor = connected();
    monitor.update(at(4_000), &Change::default()).unwrap_err();
    check(
        &screen(&monitor, (80, 24)),
        &["1 update REFUSED", "1 REFUSED (change 0"],
    );
}

#[test]
fn small_terminal_shows_the_status() {
    check(
        &screen(&connected(), (20, 5)),
        &["127.0.0.1:8080", "CONNECTED for 4.9 s"],
    );
    check(&screen(&lost(), (20, 5)), &["LOST 2.0 s ago"]);
}

#[test]
fn no_size_and_no_state_panics() {
    let mut hostile = snapshot(1);
    hostile.cpu_busy_per_mille = vec![u32::MAX; 4096];
    hostile.host_name = "w\u{301}".repeat(10_000);
    hostile.uptime_seconds = u64::MAX;
    hostile.memory.used_bytes = u64::MAX;
    hostile.networks.insert(
        "\u{202e}".repeat(500),
        NetworkRates {
            received_bytes_per_second: u64::MAX,
            sent_bytes_per_second: u64::MAX,
        },
    );
    let mut monitor = Monitor::new("test");
    monitor.connected(at(1), hostile);
    for monitor in [monitor, lost(), Monitor::new("")] {
        for width in [0, 1, 5, 17, 18, 19, 59, 60, 61, 200] {
            for height in [0, 1, 2, 3, 5, 13, 14, 24, 80] {
                terminal(&monitor, (width, height));
            }
        }
    }
}

#[test]
fn q_and_control_c_quit_and_nothing_else() {
    let key = |code, modifiers, kind| {
        Event::Key(KeyEvent {
            code,
            modifiers,
            kind,
            state: KeyEventState::NONE,
        })
    };
    let press = |code, modifiers| key(code, modifiers, KeyEventKind::Press);
    assert!(is_quit(&press(KeyCode::Char('q'), KeyModifiers::NONE)));
    assert!(is_quit(&press(KeyCode::Char('c'), KeyModifiers::CONTROL)));
    assert!(!is_quit(&press(KeyCode::Char('c'), KeyModifiers::NONE)));
    assert!(!is_quit(&press(KeyCode::Enter, KeyModifiers::NONE)));
    assert!(!is_quit(&key(
        KeyCode::Char('q'),
        KeyModifiers::NONE,
        KeyEventKind::Release
    )));
    assert!(!is_quit(&Event::Resize(80, 24)));
}
