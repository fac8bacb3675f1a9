//! The worker's side of a run: orders come in as lines, each job is run to its end, one line goes back.
//!
//! A worker outlives the process that gives the orders: when that is killed, the job in hand is finished and noted, then
//! the orders end and so does the worker. So a command is not run a second time because the first uuxqt was killed, nor
//! because a signal that means to stop it went to the workers as well.

use std::io::{self, BufRead, Write};

use super::job::{Outcome, Runner};
use crate::name::{Grade, SpoolName, SystemName};
use crate::spool::Execution;

/// One job for a worker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Order(pub Execution);

impl Order {
    /// The order as a line.
    #[must_use]
    pub fn to_line(&self) -> String {
        let Execution {
            system,
            name,
            grade,
        } = &self.0;
        format!("{grade} {system} {name}\n")
    }

    /// The order that a line holds.
    #[must_use]
    pub fn parse(line: &str) -> Option<Self> {
        let mut words = line.split_ascii_whitespace();
        let grade: Grade = words.next()?.parse().ok()?;
        let system: SystemName = words.next()?.parse().ok()?;
        let name: SpoolName = words.next()?.parse().ok()?;
        let execution = Execution {
            system,
            name,
            grade,
        };
        words.next().is_none().then_some(Self(execution))
    }
}

const ANSWERS: [(Outcome, &str); 5] = [
    (Outcome::Done, "done"),
    (Outcome::Failed { told: true }, "failed"),
    (Outcome::Failed { told: false }, "failed-quietly"),
    (Outcome::Later, "later"),
    (Outcome::NotNow, "not-now"),
];

impl Outcome {
    /// The word that a worker answers.
    #[must_use]
    pub fn word(self) -> &'static str {
        ANSWERS
            .iter()
            .find(|(outcome, _)| *outcome == self)
            .map_or("later", |(_, word)| word)
    }

    /// The outcome that a worker's word stands for.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        ANSWERS
            .iter()
            .find(|(_, known)| *known == word)
            .map(|(outcome, _)| *outcome)
    }
}

/// Runs the jobs that are ordered until the orders end.
///
/// # Errors
/// When the orders cannot be read. That nobody reads the answers any more is no error.
pub fn serve(
    runner: &mut Runner<'_>,
    mut orders: impl BufRead,
    mut answers: impl Write,
) -> io::Result<()> {
    let mut line = String::new();
    loop {
        line.clear();
        // A line that was cut is an order that was not given.
        if orders.read_line(&mut line)? == 0 || !line.ends_with('\n') {
            return Ok(());
        }
        let outcome = Order::parse(&line).map_or(Outcome::NotNow, |order| runner.execute(&order.0));
        let answer = format!("{}\n", outcome.word());
        if answers.write_all(answer.as_bytes()).is_err() || answers.flush().is_err() {
            return Ok(());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn orders_and_answers_survive_the_pipe() {
        let order = Order(Execution {
            system: "alpha".parse().unwrap(),
            name: "X.alphaN0001".parse().unwrap(),
            grade: Grade::DEFAULT,
        });
        assert_eq!(Order::parse(&order.to_line()), Some(order));
        for bad in ["", "N alpha", "N alpha X.a b", "N ../x X.a"] {
            assert_eq!(Order::parse(bad), None, "{bad}");
        }
        for (outcome, word) in ANSWERS {
            assert_eq!(Outcome::from_word(outcome.word()), Some(outcome));
            assert_eq!(Outcome::from_word(word), Some(outcome));
        }
    }
}
