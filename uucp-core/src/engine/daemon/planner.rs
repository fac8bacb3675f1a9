//! Which systems are called next: no IO, no clock.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use crate::engine::behind::Behind;
use crate::engine::placing::shuffle;
use crate::name::SystemName;

/// A system whose call has just ended, and which has work left though nothing new has come: what is left waits for the other
/// side, or for a person.
const LEFT_OVER: Duration = Duration::from_mins(10);

/// A system that has work and may be called at this time of day.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Candidate {
    /// Its name.
    pub(super) system: SystemName,
    /// How much longer earlier failures hold a call up.
    pub(super) held: Duration,
}

/// What is known of the calls to one system.
#[derive(Debug)]
enum Last {
    /// One is under way. Whether work has come since it began.
    Running { news: bool },
    /// One has ended then. Whether work has come since it began.
    Ended { at: Instant, news: bool },
}

/// The calls that are under way, and those that were.
#[derive(Debug)]
pub(super) struct Planner {
    most: usize,
    gap: Duration,
    calls: BTreeMap<SystemName, Last>,
    behind: Behind,
}

impl Planner {
    /// So many calls at once, so long a gap between two with one system.
    pub(super) fn new(most: usize, gap: Duration) -> Self {
        Self {
            most: most.max(1),
            gap,
            calls: BTreeMap::new(),
            behind: Behind::default(),
        }
    }

    /// New work has come for a system.
    pub(super) fn news_for(&mut self, system: &SystemName) {
        if let Some(Last::Running { news } | Last::Ended { news, .. }) = self.calls.get_mut(system)
        {
            *news = true;
        }
    }

    pub(super) fn started(&mut self, system: SystemName) {
        self.behind.remove(&system);
        self.calls.insert(system, Last::Running { news: false });
    }

    /// A call was not made, since these have its line. It is made when that is free, without a gap.
    pub(super) fn after(&mut self, system: SystemName, others: Vec<SystemName>) {
        self.calls.remove(&system);
        self.behind.wait(system, others);
    }

    pub(super) fn ended(&mut self, now: Instant, system: &SystemName) {
        // Who comes next is found out when it is asked who is due.
        let _ = self.behind.release(system);
        if let Some(last) = self.calls.get_mut(system)
            && let Last::Running { news } = *last
        {
            *last = Last::Ended { at: now, news };
        }
    }

    /// The systems to call now, in any order, and when to look again even if nothing happens.
    pub(super) fn due(
        &mut self,
        now: Instant,
        candidates: Vec<Candidate>,
    ) -> (Vec<SystemName>, Option<Instant>) {
        self.forget(now);
        let mut due = Vec::new();
        let mut later: Option<Instant> = None;
        for Candidate { system, held } in candidates {
            let wait = match self.calls.get(&system) {
                Some(Last::Running { .. }) => continue,
                Some(Last::Ended { at, news }) => {
                    let pause = if *news { self.gap } else { LEFT_OVER };
                    (*at + pause).saturating_duration_since(now).max(held)
                }
                None => held,
            };
            if wait.is_zero() {
                due.push(system);
            } else {
                let at = now + wait;
                later = Some(later.map_or(at, |other| other.min(at)));
            }
        }
        shuffle(&mut due);
        let due = self.not_behind(due);
        (due, later)
    }

    /// Those whose lines are free, as many as may be called at once. Where one that others wait for is not called after all, they
    /// find out for themselves who has the line.
    fn not_behind(&self, due: Vec<SystemName>) -> Vec<SystemName> {
        let room = self.most.saturating_sub(self.running());
        let behind = |system: &SystemName| self.behind.others_of(system);
        let (waiting, mut free): (Vec<_>, Vec<_>) =
            due.into_iter().partition(|system| behind(system).is_some());
        for system in waiting {
            let others = behind(&system).unwrap_or_default();
            let has_line = |other: &SystemName| self.is_running(other) || free.contains(other);
            if others.is_empty() || !others.iter().all(has_line) {
                free.push(system);
            }
        }
        free.truncate(room);
        free
    }

    fn is_running(&self, system: &SystemName) -> bool {
        matches!(self.calls.get(system), Some(Last::Running { .. }))
    }

    fn running(&self) -> usize {
        let running = |last: &&Last| matches!(last, Last::Running { .. });
        self.calls.values().filter(running).count()
    }

    /// Calls of long ago hold nothing up.
    fn forget(&mut self, now: Instant) {
        let past = self.gap.max(LEFT_OVER);
        self.calls.retain(|_, last| match last {
            Last::Running { .. } => true,
            Last::Ended { at, .. } => *at + past > now,
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GAP: Duration = Duration::from_secs(10);

    fn name(text: &str) -> SystemName {
        text.parse().unwrap()
    }

    fn free(systems: &[&str]) -> Vec<Candidate> {
        let candidate = |system: &&str| Candidate {
            system: name(system),
            held: Duration::ZERO,
        };
        systems.iter().map(candidate).collect()
    }

    #[test]
    fn so_many_at_once_and_each_only_once() {
        let mut planner = Planner::new(2, GAP);
        let now = Instant::now();
        let (due, _) = planner.due(now, free(&["a", "b", "c"]));
        assert_eq!(due.len(), 2);
        for system in due {
            planner.started(system);
        }
        assert_eq!(planner.due(now, free(&["a", "b", "c"])).0, []);
    }

    #[test]
    fn no_system_is_always_the_last() {
        let now = Instant::now();
        let first = |_| Planner::new(1, GAP).due(now, free(&["a", "b"])).0;
        let seen: Vec<_> = (0..100).map(first).collect();
        assert!(seen.contains(&vec![name("a")]) && seen.contains(&vec![name("b")]));
    }

    #[test]
    fn after_a_call_new_work_waits_for_the_gap_and_what_is_left_waits_longer() {
        let mut planner = Planner::new(4, GAP);
        let begun = Instant::now();
        planner.started(name("a"));
        planner.started(name("b"));
        planner.news_for(&name("a"));
        planner.ended(begun, &name("a"));
        planner.ended(begun, &name("b"));
        let both = || free(&["a", "b"]);
        assert_eq!(planner.due(begun, both()), (vec![], Some(begun + GAP)));
        let (due, later) = planner.due(begun + GAP, both());
        assert_eq!((due, later), (vec![name("a")], Some(begun + LEFT_OVER)));
        planner.started(name("a"));
        let (due, _) = planner.due(begun + LEFT_OVER, both());
        assert_eq!(due, [name("b")]);
    }

    #[test]
    fn a_line_in_use_is_waited_for_without_a_gap_and_one_after_the_other() {
        let mut planner = Planner::new(9, GAP);
        let now = Instant::now();
        let names = ["a", "b", "c", "d"];
        for system in names {
            planner.started(name(system));
        }
        for system in ["b", "c", "d"] {
            planner.after(name(system), vec![name("a")]);
        }
        assert_eq!(planner.due(now, free(&names)).0, []);
        let mut order = vec!["a"];
        for next in ["b", "c", "d"] {
            planner.ended(now, &name(order[order.len() - 1]));
            // Who has been called waits for the gap, and longer.
            let (due, later) = planner.due(now, free(&names));
            assert_eq!((due, later.is_some()), (vec![name(next)], true));
            planner.started(name(next));
            assert_eq!(planner.due(now, free(&names)).0, []);
            order.push(next);
        }
    }

    #[test]
    fn nobody_waits_for_a_line_that_nobody_has() {
        let mut planner = Planner::new(9, GAP);
        let now = Instant::now();
        let behind = |planner: &mut Planner, system: &str, others: &[&str]| {
            planner.started(name(system));
            let others = others.iter().map(|other| name(other)).collect();
            planner.after(name(system), others);
        };
        // Over by now.
        behind(&mut planner, "b", &[]);
        assert_eq!(planner.due(now, free(&["b"])).0, [name("b")]);
        // The one that was to come next has no work any more.
        planner.started(name("a"));
        behind(&mut planner, "b", &["a"]);
        behind(&mut planner, "c", &["a"]);
        planner.ended(now, &name("a"));
        assert_eq!(planner.due(now, free(&["c"])).0, [name("c")]);
        // One of two lines is free.
        planner.started(name("x"));
        planner.started(name("y"));
        behind(&mut planner, "c", &["x", "y"]);
        assert_eq!(planner.due(now, free(&["c"])).0, []);
        planner.ended(now, &name("y"));
        assert_eq!(planner.due(now, free(&["c"])).0, [name("c")]);
    }

    #[test]
    fn earlier_failures_hold_a_call_up() {
        let mut planner = Planner::new(4, GAP);
        let now = Instant::now();
        let held = Candidate {
            system: name("a"),
            held: Duration::from_mins(5),
        };
        let due = planner.due(now, vec![held]);
        assert_eq!(due, (vec![], Some(now + Duration::from_mins(5))));
    }
}
