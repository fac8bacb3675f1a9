//! Calls whose line others have, and whose turn comes when that is free: no IO, no clock.

use crate::name::SystemName;

/// A call that came to nothing since others have its line.
#[derive(Debug)]
struct Waiting {
    system: SystemName,
    /// When any of these is over, a line is free.
    others: Vec<SystemName>,
}

/// The calls that wait for a line; who has waited longest comes first.
#[derive(Debug, Default)]
pub(super) struct Behind(Vec<Waiting>);

impl Behind {
    /// The call of `system` waits for one of these to be over.
    pub(super) fn wait(&mut self, system: SystemName, others: Vec<SystemName>) {
        self.0.push(Waiting { system, others });
    }

    /// For whose calls the one of `system` waits; `None` if it waits for nobody's.
    pub(super) fn others_of(&self, system: &SystemName) -> Option<&[SystemName]> {
        let waiting = self.0.iter().find(|one| one.system == *system);
        waiting.map(|one| one.others.as_slice())
    }

    /// The call of this system is over. The one that has waited for its line longest, which comes next; others that did so wait
    /// for that one from here on.
    pub(super) fn release(&mut self, system: &SystemName) -> Option<SystemName> {
        let index = self.0.iter().position(|one| one.others.contains(system))?;
        let next = self.0.remove(index).system;
        let others = self.0.iter_mut().flat_map(|one| &mut one.others);
        for other in others.filter(|other| *other == system) {
            other.clone_from(&next);
        }
        Some(next)
    }

    /// The call of `system` waits no longer.
    pub(super) fn remove(&mut self, system: &SystemName) {
        self.0.retain(|one| one.system != *system);
    }

    /// No call waits any longer.
    pub(super) fn clear(&mut self) {
        self.0.clear();
    }
}
