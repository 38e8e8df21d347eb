//! From a seed to a plan.

use std::time::Duration;

use super::action::{Action, Blow, Death, Direction, Menu, Trouble, Whim};
use super::{ConsumerPlan, DurablePlan, Form, Kind, Manner, Pace, Plan, ServerPlan, Timed};
use crate::names::{ConsumerName, DurableName, ServerName};
use crate::random::Random;

impl Plan {
    /// The plan of a seed.
    pub fn from_seed(seed: u64) -> Self {
        let mut random = Random::new(seed);
        let servers: Vec<_> = (0..=random.below(2)).map(|_| server(&mut random)).collect();
        let durables: Vec<_> = (0..=random.below(3))
            .map(|_| durable(&mut random, servers.len()))
            .collect();
        let consumers: Vec<_> = (0..=random.below(5))
            .map(|_| consumer(&mut random, &servers, &durables))
            .collect();
        let faults_end = random.millis(5_000, 30_000);
        let mut plan = Self {
            seed,
            servers,
            durables,
            consumers,
            script: Vec::new(),
            faults_end,
        };
        plan.script = script(&mut random, &plan);
        plan
    }
}

fn server(random: &mut Random) -> ServerPlan {
    ServerPlan {
        interval: random.millis(40, 700),
        burst: random.pick(&[1, 1, 1, 5, 60]),
        latency: random.millis(2, 60),
    }
}

fn durable(random: &mut Random, servers: usize) -> DurablePlan {
    let send_every = random.millis(200, 1_000);
    DurablePlan {
        server: ServerName(below(random, servers)),
        send_every,
        timeout: send_every * 2 + random.millis(100, 2_000),
        handshake_timeout: random.millis(500, 2_500),
        version: random.pick(&[1, 3, 4, 7, 9, 10, 11, 11, 11, 11]),
        with_menu: random.one_in(3),
        kind: match random.below(4) {
            0 => Kind::Rebuilds,
            1 => Kind::Persists {
                retry_delay: random.millis(20, 3_000),
                exact: random.one_in(2),
            },
            _ => Kind::Creates,
        },
    }
}

fn consumer(random: &mut Random, servers: &[ServerPlan], durables: &[DurablePlan]) -> ConsumerPlan {
    let name = below(random, durables.len());
    let durable = &durables[usize::from(name)];
    let server = &servers[usize::from(durable.server.0)];
    let bound = random.pick(&[1, 2, 10, 50]);
    // Who drops what is published at once has to be asked for a new state each time, for ever.
    let bound_of_dropping = random.pick(&[10, 50]) + usize::try_from(server.burst).unwrap_or(0);
    let form = if durable.with_menu {
        random.pick(&[Form::Versioned, Form::Converted, Form::ConvertedPipe])
    } else {
        random.pick(&[
            Form::State,
            Form::State,
            Form::StateOrFail,
            Form::PushesBack,
            Form::Pipe,
            Form::PipeOrFail,
            Form::Merging(bound),
            Form::Dropping(bound_of_dropping),
            Form::Waiting(bound),
            Form::Followed,
        ])
    };
    let manner = match random.below(4) {
        0 => Manner::Impatient,
        1 => Manner::Slow(random.millis(1, 150)),
        _ => Manner::Prompt,
    };
    let pace = match random.below(6) {
        // No delay at all is allowed, too. Where an attempt can fail at once, time would stand
        // still.
        0 if !form.is_versioned() => Pace::Fixed(Duration::ZERO),
        1 | 2 => Pace::Exponential(random.millis(10, 500), random.millis(500, 4_000)),
        _ => Pace::Fixed(random.millis(1, 3_000)),
    };
    // More than there may be between two publications.
    let longest = server.interval * 3;
    let limit = longest + random.millis(200, 2_000);
    ConsumerPlan {
        durable: DurableName(name),
        form,
        pace,
        silence_limit: random.one_in(3).then_some(limit),
        manner,
    }
}

fn script(random: &mut Random, plan: &Plan) -> Vec<Timed> {
    let end = u64::try_from(plan.faults_end.as_millis()).unwrap_or(u64::MAX);
    let count = 1 + random.below(end / 1_000);
    let mut script: Vec<_> = (0..count)
        .map(|_| {
            let action = action(random, plan);
            let lasts = u64::try_from(action.lasts().as_millis()).unwrap_or(u64::MAX);
            let at = random.millis(0, end.saturating_sub(lasts));
            Timed { at, action }
        })
        .collect();
    script.sort_by_key(|timed| timed.at);
    script
}

fn action(random: &mut Random, plan: &Plan) -> Action {
    let durable = DurableName(below(random, plan.durables.len()));
    let server = ServerName(below(random, plan.servers.len()));
    match random.below(12) {
        0 => Action::Cut(durable),
        1 => Action::Finish(durable),
        2 => {
            let direction = random.pick(&[Direction::Both, Direction::Up, Direction::Down]);
            Action::Silence(durable, direction)
        }
        3 => Action::Hold(durable, random.millis(50, 4_000)),
        4 => {
            let blow = random.pick(&[Blow::EndsStreams, Blow::Garbles, Blow::ClosesConnections]);
            Action::Blow(server, blow)
        }
        5 | 6 => {
            let consumer = ConsumerName(below(random, plan.consumers.len()));
            let lasts = random.millis(1, 3_000);
            let round_trip = plan.round_trip(consumer).as_millis();
            let stays = random.millis(1, u64::try_from(round_trip).unwrap_or(u64::MAX));
            let whim = random.pick(&[
                Whim::Pauses(lasts),
                Whim::Closes(lasts),
                Whim::Drops(lasts),
                Whim::TurnsBack(stays),
                Whim::Resubscribes,
            ]);
            Action::Consumer(consumer, whim)
        }
        _ => {
            let trouble = trouble(random);
            Action::Trouble(server, trouble, random.millis(20, 4_000))
        }
    }
}

fn trouble(random: &mut Random) -> Trouble {
    let death = random.pick(&[Death::Crash, Death::PowerCut, Death::Shutdown]);
    match random.below(16) {
        0 | 1 => Trouble::Down(death, Menu::ALL),
        2 => {
            let menu = Menu {
                book_1: random.one_in(2),
                book_2: random.one_in(2),
                ticks: random.one_in(2),
            };
            Trouble::Down(death, menu)
        }
        3 | 4 => Trouble::Moves(death, random.millis(0, 500)),
        5 | 6 => Trouble::Frozen,
        7 => Trouble::Slow(random.pick(&[2_000, 8_000, 30_000])),
        8 => Trouble::Far(random.millis(10, 800)),
        9 => Trouble::Refuses,
        10 => Trouble::Ignores,
        11 => Trouble::Mute,
        12 => Trouble::UserErrors,
        13 => random.pick(&[Trouble::Raises, Trouble::Hangs]),
        14 => Trouble::EndsAtOnce,
        _ => Trouble::Stuck,
    }
}

/// An index, of few.
fn below(random: &mut Random, limit: usize) -> u8 {
    u8::try_from(random.below(limit as u64)).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn equal_seeds_give_equal_plans() {
        let text = |seed| Plan::from_seed(seed).to_string();
        for seed in 0..50 {
            assert_eq!(text(seed), text(seed));
        }
        assert_ne!(text(1), text(2));
    }

    #[test]
    fn scripts_are_in_order_and_over_in_time() {
        for plan in (0..500).map(Plan::from_seed) {
            assert!(plan.script.is_sorted_by_key(|timed| timed.at));
            for timed in &plan.script {
                assert!(timed.at + timed.action.lasts() <= plan.faults_end, "{plan}");
            }
        }
    }

    /// Whatever the adversary can do, it does to somebody.
    #[test]
    fn every_kind_of_action_is_planned() {
        let kinds: BTreeSet<_> = (0..2_000)
            .flat_map(|seed| Plan::from_seed(seed).script)
            .map(|timed| match timed.action {
                Action::Trouble(_, trouble, _) => format!("{trouble:?}"),
                Action::Blow(_, blow) => format!("{blow:?}"),
                Action::Consumer(_, whim) => format!("{whim:?}"),
                Action::Silence(_, direction) => format!("Silence{direction:?}"),
                action => format!("{action:?}"),
            })
            .map(|text| text.split('(').next().unwrap_or_default().to_owned())
            .collect();
        assert_eq!(kinds.len(), 13 + 3 + 5 + 3 + 3, "{kinds:?}");
    }
}
