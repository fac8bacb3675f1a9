//! `[execution]`: how uuxqt runs jobs.

use std::time::Duration;

use serde::Deserialize;

use super::pick;
use super::value::{Count, Period};

/// The most commands side by side: each is a process, which runs an MTA's in its turn.
const MOST_JOBS: u32 = 256;

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub(super) struct ExecutionSection {
    jobs: Option<Count<MOST_JOBS>>,
    time_limit: Option<Period>,
    age_limit: Option<Period>,
    warn_after: Option<Period>,
}

/// How uuxqt runs a neighbour's jobs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Execution {
    /// How many commands at a time: 4, unless set. Only the general section counts.
    pub jobs: u32,
    /// How long one command may run: 1 hour, unless set.
    pub time_limit: Duration,
    /// How long a job is tried again after temporary failures: 5 days, unless set.
    pub age_limit: Duration,
    /// How long a message that the MTA refuses for now waits before its sender is told: 4 hours, unless set.
    pub warn_after: Duration,
}

impl Execution {
    pub(super) fn new(own: Option<&ExecutionSection>, all: &ExecutionSection) -> Self {
        Self {
            jobs: all.jobs.map_or(4, |count| count.0.get()),
            time_limit: pick(own, all, |s| s.time_limit).map_or(Duration::from_hours(1), |p| p.0),
            age_limit: pick(own, all, |s| s.age_limit).map_or(Duration::from_hours(120), |p| p.0),
            warn_after: pick(own, all, |s| s.warn_after).map_or(Duration::from_hours(4), |p| p.0),
        }
    }
}
