//! `[hooks]`: programs that are run before and after a call.

use std::time::Duration;

use serde::Deserialize;

use super::pick;
use super::value::Period;

/// A link that has to be brought up may take a while; who calls in waits two minutes at most.
const TIME_LIMIT: Duration = Duration::from_mins(1);

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub(super) struct HooksSection {
    connect: Option<Program>,
    disconnect: Option<Program>,
    time_limit: Option<Period>,
}

/// A program and its arguments; none at all is no program.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "Vec<String>")]
struct Program(Vec<String>);

impl TryFrom<Vec<String>> for Program {
    type Error = String;

    fn try_from(words: Vec<String>) -> Result<Self, String> {
        match words.first() {
            Some(program) if !program.starts_with('/') => {
                Err(format!("'{program}' is not the whole path of a program"))
            }
            _ if words.iter().any(|word| word.contains('\0')) => {
                Err("a word with a NUL in it".to_owned())
            }
            _ => Ok(Self(words)),
        }
    }
}

/// What is run before and after a call: a program's path and its arguments, or nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hooks {
    /// Before a call is placed, and when a caller is known. If it fails there is no call.
    pub connect: Vec<String>,
    /// After the call.
    pub disconnect: Vec<String>,
    /// How long one may run: a minute, unless set.
    pub time_limit: Duration,
}

impl Hooks {
    pub(super) fn new(own: Option<&HooksSection>, all: &HooksSection) -> Self {
        let words = |program: Option<Program>| program.map(|one| one.0).unwrap_or_default();
        Self {
            connect: words(pick(own, all, |hooks| hooks.connect.clone())),
            disconnect: words(pick(own, all, |hooks| hooks.disconnect.clone())),
            time_limit: pick(own, all, |hooks| hooks.time_limit).map_or(TIME_LIMIT, |p| p.0),
        }
    }

    /// Nothing is run.
    #[must_use]
    pub fn none() -> Self {
        Self::new(None, &HooksSection::default())
    }
}
