//! Which call of a round is made next: no IO, no clock.

use std::collections::VecDeque;

use crate::engine::behind::Behind;
use crate::engine::placing::shuffle;
use crate::name::SystemName;

/// The calls that wait, and those under way.
#[derive(Debug)]
pub(super) struct Plan {
    most: usize,
    waiting: VecDeque<SystemName>,
    under_way: Vec<SystemName>,
    behind: Behind,
}

impl Plan {
    /// So many at once, in any order.
    pub(super) fn new(most: usize, mut systems: Vec<SystemName>) -> Self {
        shuffle(&mut systems);
        Self {
            most: most.max(1),
            waiting: systems.into(),
            under_way: Vec::new(),
            behind: Behind::default(),
        }
    }

    /// The system to call now, if any; it is under way then.
    pub(super) fn next(&mut self) -> Option<SystemName> {
        if self.under_way.len() >= self.most {
            return None;
        }
        let system = self.waiting.pop_front()?;
        self.under_way.push(system.clone());
        Some(system)
    }

    /// A call is over. One that waited for its line comes next, and others that did so wait for that one.
    pub(super) fn over(&mut self, system: &SystemName) {
        self.under_way.retain(|other| other != system);
        if let Some(next) = self.behind.release(system) {
            self.waiting.push_front(next);
        }
    }

    /// A call came to nothing since these have its line.
    pub(super) fn after(&mut self, system: SystemName, others: Vec<SystemName>) {
        self.under_way.retain(|other| *other != system);
        if others.is_empty() {
            // They are over by now.
            self.waiting.push_front(system);
        } else {
            self.behind.wait(system, others);
        }
    }

    /// No further call is to begin.
    pub(super) fn stop(&mut self) {
        self.waiting.clear();
        self.behind.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> SystemName {
        text.parse().unwrap()
    }

    fn plan(most: usize, systems: &[&str]) -> Plan {
        Plan::new(most, systems.iter().map(|text| name(text)).collect())
    }

    fn next(plan: &mut Plan) -> Vec<SystemName> {
        std::iter::from_fn(|| plan.next()).collect()
    }

    #[test]
    fn so_many_at_once_and_each_once() {
        let mut plan = plan(2, &["a", "b", "c", "d", "e"]);
        let mut under_way = next(&mut plan);
        let mut called = under_way.clone();
        while let Some(system) = under_way.pop() {
            assert!(under_way.len() < 2);
            plan.over(&system);
            let more = next(&mut plan);
            called.extend(more.clone());
            under_way.extend(more);
        }
        called.sort_unstable();
        assert_eq!(called, ["a", "b", "c", "d", "e"].map(name));
    }

    #[test]
    fn no_system_is_always_the_last() {
        let first = |_| plan(1, &["a", "b"]).next().unwrap();
        let seen: Vec<_> = (0..100).map(first).collect();
        assert!(seen.contains(&name("a")) && seen.contains(&name("b")));
    }

    #[test]
    fn one_line_is_for_one_call_after_the_other() {
        let mut plan = plan(3, &["a", "b", "c"]);
        let mut rest = next(&mut plan);
        let holder = rest.pop().unwrap();
        for system in &rest {
            plan.after(system.clone(), vec![holder.clone()]);
        }
        assert_eq!(next(&mut plan), []);
        plan.over(&holder);
        // One of them; the other waits for that one.
        assert_eq!(next(&mut plan), [rest.remove(0)]);
        let second = plan.under_way.first().unwrap().clone();
        plan.over(&second);
        assert_eq!(next(&mut plan), rest);
    }

    #[test]
    fn with_two_lines_each_that_is_free_lets_one_begin() {
        let mut plan = plan(4, &["a", "b", "c", "d"]);
        let all = next(&mut plan);
        let [one, two, three, four] = &all[..] else {
            panic!("{all:?}");
        };
        for system in [three, four] {
            plan.after(system.clone(), vec![one.clone(), two.clone()]);
        }
        plan.over(two);
        assert_eq!(next(&mut plan).first(), Some(three));
        plan.over(one);
        assert_eq!(next(&mut plan).first(), Some(four));
    }

    #[test]
    fn whose_other_is_over_by_now_is_called_at_once() {
        let mut plan = plan(2, &["a"]);
        let only = next(&mut plan);
        plan.after(name("a"), Vec::new());
        assert_eq!(next(&mut plan), only);
    }

    #[test]
    fn after_a_signal_none_begins() {
        let mut plan = plan(1, &["a", "b"]);
        let first = plan.next().unwrap();
        plan.stop();
        plan.over(&first);
        assert_eq!(next(&mut plan), []);
        plan.after(first.clone(), vec![first.clone()]);
        plan.stop();
        plan.over(&first);
        assert_eq!(next(&mut plan), []);
    }
}
