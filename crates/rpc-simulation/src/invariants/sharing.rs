//! A durable value is built when it is used and found broken, once for all who use it then.

use std::collections::BTreeMap;
use std::time::Duration;

use super::Invariant;
use crate::fact::{Build, Fact, Seen};
use crate::names::{DurableName, SubscriptionName};
use crate::plan::Form;

/// Rules D-DU-1, D-DU-4 to D-DU-7, D-IN-1 and D-IN-3.
#[derive(Debug, Default)]
pub(super) struct Sharing {
    values: BTreeMap<DurableName, Value>,
    /// Through which value each subscription is made.
    users: BTreeMap<SubscriptionName, DurableName>,
}

#[derive(Debug, Default)]
struct Value {
    state: State,
    uses: u64,
    /// Whether there are users of whose uses nobody tells.
    unbounded: bool,
    builds: u64,
    /// What it told last.
    intact: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    #[default]
    Void,
    Building,
    Built,
    Broken,
}

impl Value {
    fn start(&mut self, build: Build) -> Result<(), String> {
        let allowed = match build {
            // Values without a function that rebuilds are created again.
            Build::Create => matches!(self.state, State::Void | State::Broken),
            Build::Rebuild => self.state == State::Broken,
        };
        if !allowed {
            return Err(format!("{build:?} when {:?}", self.state));
        }
        self.state = State::Building;
        self.builds += 1;
        if self.intact {
            return Err("built, when it has told that it is intact".to_owned());
        }
        if self.builds > self.uses && !self.unbounded {
            return Err(format!("{} builds for {} uses", self.builds, self.uses));
        }
        Ok(())
    }
}

impl Invariant for Sharing {
    fn name(&self) -> &'static str {
        "sharing"
    }

    fn see(&mut self, _: Duration, fact: &Fact) -> Result<(), String> {
        match fact {
            Fact::Subscribed(told) => {
                let (form, durable) = (told.plan.form, told.plan.durable);
                self.users.insert(told.subscription, durable);
                let value = self.values.entry(durable).or_default();
                // The first attempt of some is told of when it has succeeded; those with a queue
                // go on while nobody reads.
                value.uses += u64::from(form.or_fails() || form.bound().is_some());
                value.unbounded |= form == Form::Followed;
            }
            Fact::Saw(subscription, Seen::Attempting) => {
                if let Some(durable) = self.users.get(subscription) {
                    self.values.entry(*durable).or_default().uses += 1;
                }
            }
            Fact::FoundBroken(durable) => {
                let value = self.values.entry(*durable).or_default();
                if value.state == State::Built {
                    value.state = State::Broken;
                }
            }
            Fact::BuildStarted(durable, build) => {
                let started = self.values.entry(*durable).or_default().start(*build);
                return started.map_err(|text| format!("{durable}: {text}"));
            }
            Fact::Intact(durable, intact) => {
                let value = self.values.entry(*durable).or_default();
                if value.intact == *intact {
                    return Err(format!("{durable} tells again: intact is {intact}"));
                }
                value.intact = *intact;
            }
            Fact::BuildEnded(durable, result) => {
                self.values.entry(*durable).or_default().state = match result {
                    Ok(_) => State::Built,
                    Err(_) => State::Void,
                };
            }
            _ => {}
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{check, saw, subscribed};
    use super::*;
    use crate::names::LinkName;

    const NAME: DurableName = DurableName(0);

    /// After three uses.
    fn used(events: &[Fact], last_is_right: bool) {
        let attempting = saw(Seen::Attempting);
        let uses = [attempting.clone(), attempting.clone(), attempting];
        let facts = [&[subscribed(Form::State)], &uses[..], events].concat();
        check(Sharing::default(), &facts, last_is_right);
    }

    #[test]
    fn builds_follow_the_table() {
        let started = |build| Fact::BuildStarted(NAME, build);
        let (create, rebuild) = (started(Build::Create), started(Build::Rebuild));
        let built = Fact::BuildEnded(NAME, Ok(LinkName(0)));
        let failed = Fact::BuildEnded(NAME, Err("no".to_owned()));
        let broken = Fact::FoundBroken(NAME);
        used(
            &[
                create.clone(),
                built.clone(),
                broken.clone(),
                rebuild.clone(),
            ],
            true,
        );
        used(
            &[create.clone(), built.clone(), broken, create.clone()],
            true,
        );
        used(&[create.clone(), failed.clone(), create.clone()], true);
        // Rule D-DU-7.
        used(&[create.clone(), create.clone()], false);
        // Nothing is broken.
        used(&[create.clone(), built, create.clone()], false);
        // Rule D-DU-5.
        used(&[create.clone(), failed.clone(), rebuild.clone()], false);
        used(&[rebuild], false);
        // Rules D-IN-1, D-IN-3.
        let tells = |intact| Fact::Intact(NAME, intact);
        used(&[tells(true), tells(false), tells(true)], true);
        used(&[tells(true), tells(true)], false);
        used(&[tells(false)], false);
        used(&[tells(true), create.clone()], false);
        // Rule D-DU-6.
        let thrice = [
            create.clone(),
            failed.clone(),
            create.clone(),
            failed.clone(),
        ];
        used(&[&thrice[..], std::slice::from_ref(&create)].concat(), true);
        used(
            &[&thrice[..], &[create.clone(), failed, create]].concat(),
            false,
        );
    }
}
