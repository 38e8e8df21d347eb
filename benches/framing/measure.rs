//! Measures several ways to do the same work, in rounds: each has its turn in every round, so that
//! whatever else the machine does meets all of them. Knows nothing of the work.

use std::time::{Duration, Instant};

use crate::allocations;

/// Work that can be done in several ways.
#[derive(Debug)]
pub(crate) struct Case {
    pub(crate) name: String,
    /// What one operation does of it, such as decoding 1000 frames; samples are of one.
    pub(crate) items: u32,
    pub(crate) contestants: Vec<Contestant>,
}

/// One way to do the work.
pub(crate) struct Contestant {
    pub(crate) name: &'static str,
    run: Box<dyn FnMut(u32) -> Cost>,
}

/// What some number of operations cost.
#[derive(Clone, Copy, Debug, Default)]
struct Cost {
    time: Duration,
    allocations: u64,
}

/// What one item cost in one contestant's turns.
#[derive(Clone, Debug, Default)]
pub(crate) struct Samples {
    /// Nanoseconds, turn by turn.
    pub(crate) nanos: Vec<f64>,
    /// Allocations, in the turn with the most.
    pub(crate) allocations: f64,
}

impl Samples {
    /// Adds those of other turns.
    pub(crate) fn extend(&mut self, other: Self) {
        self.nanos.extend(other.nanos);
        self.allocations = self.allocations.max(other.allocations);
    }
}

impl Contestant {
    /// Does `operation` again and again. It must hand its results to `black_box`, and take its
    /// input from there.
    pub(crate) fn new(name: &'static str, mut operation: impl FnMut() + 'static) -> Self {
        Self {
            name,
            run: Box::new(move |operations| {
                Cost::of(|| {
                    for _ in 0..operations {
                        operation();
                    }
                })
            }),
        }
    }

    /// The same for work that uses its input up: `prepare` makes it anew each time, and only
    /// `operation` is measured. It has to take long beside reading a clock.
    pub(crate) fn prepared<S: 'static>(
        name: &'static str,
        mut state: S,
        mut prepare: impl FnMut(&mut S) + 'static,
        mut operation: impl FnMut(&mut S) + 'static,
    ) -> Self {
        Self {
            name,
            run: Box::new(move |operations| {
                let mut sum = Cost::default();
                for _ in 0..operations {
                    prepare(&mut state);
                    let Cost { time, allocations } = Cost::of(|| operation(&mut state));
                    sum.time += time;
                    sum.allocations += allocations;
                }
                sum
            }),
        }
    }
}

impl std::fmt::Debug for Contestant {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Contestant").field(&self.name).finish()
    }
}

impl Cost {
    fn of(work: impl FnOnce()) -> Self {
        let before = allocations::so_far();
        let start = Instant::now();
        work();
        Self {
            time: start.elapsed(),
            allocations: allocations::so_far() - before,
        }
    }
}

/// How much is measured.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Plan {
    /// How often each contestant has its turn.
    pub(crate) rounds: usize,
    /// How long a turn takes, roughly.
    pub(crate) turn: Duration,
}

impl Case {
    /// Work of which each operation is one.
    pub(crate) fn new(name: &str, contestants: Vec<Contestant>) -> Self {
        Self {
            name: name.to_owned(),
            items: 1,
            contestants,
        }
    }

    /// The samples of each contestant, in their order.
    pub(crate) fn measure(&mut self, plan: Plan) -> Vec<Samples> {
        let count = self.contestants.len();
        let operations: Vec<u32> = self
            .contestants
            .iter_mut()
            .map(|contestant| contestant.calibrate(plan.turn))
            .collect();
        let mut samples = vec![Samples::default(); count];
        for round in 0..plan.rounds {
            for turn in 0..count {
                // Each begins a round in its turn, and every other round goes backwards: nobody
                // always runs on the heels of the same neighbour.
                let turn = if round % 2 == 0 {
                    turn
                } else {
                    count - 1 - turn
                };
                let turn = (turn + round) % count;
                let cost = (self.contestants[turn].run)(operations[turn]);
                let items = f64::from(operations[turn]) * f64::from(self.items);
                samples[turn].extend(Samples {
                    nanos: vec![cost.time.as_secs_f64() * 1e9 / items],
                    allocations: cost.allocations as f64 / items,
                });
            }
        }
        samples
    }
}

impl Contestant {
    /// How many operations take about `turn`. Warms up on the way.
    fn calibrate(&mut self, turn: Duration) -> u32 {
        let mut operations = 1;
        loop {
            let Cost { time, .. } = (self.run)(operations);
            if time >= turn / 4 || operations > u32::MAX / 8 {
                let wanted = turn.as_secs_f64() / time.as_secs_f64() * f64::from(operations);
                return (wanted as u32).max(1);
            }
            operations *= 4;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{cell::RefCell, hint::black_box, rc::Rc};

    use super::*;

    const PLAN: Plan = Plan {
        rounds: 3,
        turn: Duration::from_micros(100),
    };

    #[test]
    fn samples_are_of_one_item() {
        let mut case = Case {
            name: String::new(),
            items: 2,
            contestants: vec![
                Contestant::new("once", || drop(black_box(Box::new(1)))),
                Contestant::prepared(
                    "never",
                    None,
                    |state| *state = Some(Box::new(1)),
                    |state| drop(black_box(state.take())),
                ),
            ],
        };
        let samples = case.measure(PLAN);
        assert_eq!(samples[0].allocations, 0.5);
        assert_eq!(samples[1].allocations, 0.0);
        assert_eq!(samples[0].nanos.len(), PLAN.rounds);
        assert!(samples[0].nanos.iter().all(|nanos| *nanos > 0.0));
    }

    #[test]
    fn every_round_gives_each_one_turn_in_another_order() {
        let turns = Rc::new(RefCell::new(Vec::new()));
        let contestant = |name| {
            let turns = Rc::clone(&turns);
            Contestant {
                name,
                run: Box::new(move |_| {
                    turns.borrow_mut().push(name);
                    Cost {
                        time: PLAN.turn,
                        allocations: 0,
                    }
                }),
            }
        };
        let mut case = Case {
            name: String::new(),
            items: 1,
            contestants: ["a", "b", "c"].map(contestant).into(),
        };
        case.measure(PLAN);
        let turns = turns.borrow().concat();
        // Each is calibrated once before the rounds.
        assert_eq!(turns, "abc abc acb cab".replace(' ', ""));
    }
}
