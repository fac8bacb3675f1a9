//! When somebody is killed, and how often one was hit.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use suite_tests::payload::Random;
use suite_tests::process;

use super::Victim;

/// Whether the victim of a round can be killed now.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Life {
    /// He is still to come.
    NotYet,
    Alive,
    /// He has ended, or does not come any more.
    Over,
}

impl Life {
    /// Who is over, is; who is not, is alive where he is there.
    pub(super) fn of(is_over: bool, is_there: bool) -> Self {
        match (is_over, is_there) {
            (true, _) => Self::Over,
            (_, true) => Self::Alive,
            _ => Self::NotYet,
        }
    }
}

/// Chooses the moments.
pub(super) struct Chance {
    random: Random,
    /// How long each lives when he is left alone, more or less: the kill falls into this time.
    lives: BTreeMap<Victim, Duration>,
    pub(super) killed: BTreeMap<Victim, usize>,
}

impl Chance {
    pub(super) fn new(seed: u64) -> Self {
        Self {
            random: Random::new(seed),
            lives: BTreeMap::new(),
            killed: BTreeMap::new(),
        }
    }

    /// Waits for a random moment of the life of the victim; whether it was still alive then.
    pub(super) fn moment(&mut self, victim: Victim, mut look: impl FnMut() -> Life) -> bool {
        const LONGEST: Duration = Duration::from_millis(80);
        let deadline = Instant::now() + process::PATIENCE;
        while look() == Life::NotYet {
            assert!(
                Instant::now() < deadline,
                "{victim:?} neither comes nor not"
            );
            std::thread::sleep(Duration::from_micros(200));
        }
        let life = self.lives.entry(victim).or_insert(LONGEST / 4);
        let micros = u64::try_from(life.as_micros()).expect("a short life");
        let moment = Instant::now() + Duration::from_micros(self.random.below(micros));
        while Instant::now() < moment && look() == Life::Alive {
            std::thread::sleep(Duration::from_micros(100));
        }
        let hit = look() == Life::Alive;
        *life = if hit {
            (*life * 21 / 20).min(LONGEST)
        } else {
            // Not nothing: there must be something to choose from.
            (*life * 4 / 5).max(Duration::from_micros(50))
        };
        *self.killed.entry(victim).or_default() += usize::from(hit);
        hit
    }

    /// How often these were hit.
    pub(super) fn kills_of(&self, victims: &[Victim]) -> usize {
        let counts = victims.iter().filter_map(|victim| self.killed.get(victim));
        counts.sum()
    }
}
