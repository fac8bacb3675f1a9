//! Who runs us, and for whom: what `uuxqt` and `nncp-toss` say in the environment.

use std::ffi::OsString;
use std::os::unix::ffi::OsStrExt;

use crate::execute::environment::{INSTANCE, LAST_TRY};
use crate::execute::series::NextJob;
use crate::name::SystemName;
use crate::sysexits::{Failure, Status};

/// Where a message comes from.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Origin {
    /// The authenticated neighbour; `None` when a person runs us.
    pub neighbour: Option<SystemName>,
    /// The user that the job names: the peer's word, for the trace line only.
    pub user: Option<String>,
    /// Whether the carrier was NNCP.
    pub by_nncp: bool,
    /// The id of the job.
    pub job: Vec<u8>,
    /// What tells the job's execute file from any other of its name; empty under a uuxqt that does not say.
    pub instance: Vec<u8>,
    /// Whether the job is given up if this does not do it.
    pub is_last_try: bool,
}

impl Origin {
    /// Reads the environment.
    ///
    /// # Errors
    /// When the neighbour's name is none.
    pub fn from_environment(variable: impl Fn(&str) -> Option<OsString>) -> Result<Self, Failure> {
        let by_nncp = variable("UU_MACHINE").is_none();
        let name = variable("UU_MACHINE").or_else(|| variable("NNCP_SENDER"));
        let neighbour = name
            .map(|name| SystemName::parse(name.as_bytes()))
            .transpose()
            .map_err(|e| {
                Failure::new(Status::Configuration, format!("the neighbour's name: {e}"))
            })?;
        Ok(Self {
            by_nncp: by_nncp && neighbour.is_some(),
            neighbour,
            user: variable("UU_USER").map(|user| printable(user.as_bytes())),
            job: variable("UU_JOB").unwrap_or_default().as_bytes().to_vec(),
            instance: variable(INSTANCE).unwrap_or_default().as_bytes().to_vec(),
            is_last_try: variable(LAST_TRY).is_some(),
        })
    }
}

impl Origin {
    /// The same neighbour's next job.
    pub fn is_now(&mut self, job: &NextJob) {
        self.user = Some(printable(job.user.as_bytes()));
        self.job = job.job.as_bytes().to_vec();
        self.instance = job.instance.as_bytes().to_vec();
        self.is_last_try = false;
    }

    /// Whether our own uuxqt runs us, which writes what we say into the Log.
    #[must_use]
    pub fn is_by_our_uuxqt(&self) -> bool {
        !self.instance.is_empty()
    }

    /// By what a message of this job is known when it comes again, and whether it is. Where nothing in the message tells it
    /// from an equal one, the execute file does, if its carrier says which it is: the job's name a neighbour may use again.
    #[must_use]
    pub fn known_by(&self, is_recognisable: bool) -> (&[u8], bool) {
        if is_recognisable || self.instance.is_empty() {
            (&self.job, is_recognisable)
        } else {
            (&self.instance, true)
        }
    }
}

/// What can stand in a comment of a header field.
fn printable(word: &[u8]) -> String {
    word.iter()
        .take(80)
        .map(|b| char::from(*b))
        .filter(|c| c.is_ascii_graphic() && !"()\\<>\"".contains(*c))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn origin(set: &[(&str, &str)]) -> Result<Origin, Failure> {
        Origin::from_environment(|name| {
            set.iter()
                .find(|(key, _)| *key == name)
                .map(|(_, value)| value.into())
        })
    }

    #[test]
    fn the_neighbour_is_whom_the_carrier_authenticated() {
        let hub: SystemName = "hub".parse().unwrap();
        let by_uucp = origin(&[
            ("UU_MACHINE", "hub"),
            ("UU_USER", "bob)\n(x"),
            ("NNCP_SENDER", "ABC"),
        ])
        .unwrap();
        assert_eq!((by_uucp.neighbour, by_uucp.by_nncp), (Some(hub), false));
        assert_eq!(by_uucp.user.as_deref(), Some("bobx"));
        assert!(origin(&[("NNCP_SENDER", "ABC")]).unwrap().by_nncp);
        assert_eq!(origin(&[]).unwrap(), Origin::default());
        assert!(origin(&[("UU_MACHINE", "../x")]).is_err());
    }

    #[test]
    fn a_message_is_known_by_its_job_or_by_its_execute_file() {
        let hub = [("UU_MACHINE", "hub"), ("UU_JOB", "X.hubN0001")];
        let mut of_hub = origin(&hub).unwrap();
        assert_eq!(of_hub.known_by(true), (&b"X.hubN0001"[..], true));
        assert_eq!(of_hub.known_by(false), (&b"X.hubN0001"[..], false));
        assert!(!of_hub.is_last_try);
        let next = NextJob {
            user: "bob".into(),
            job: "X.hubN0002".into(),
            instance: "X.hubN0002:7:5.0".into(),
            words: Vec::new(),
        };
        of_hub.is_last_try = true;
        of_hub.is_now(&next);
        assert_eq!(of_hub.known_by(true), (&b"X.hubN0002"[..], true));
        assert_eq!(of_hub.known_by(false), (&b"X.hubN0002:7:5.0"[..], true));
        assert!(!of_hub.is_last_try);
        let last = [("BANGPATH_JOB", "i"), ("BANGPATH_LAST_TRY", "1")];
        let last = origin(&last).unwrap();
        assert_eq!(
            (last.known_by(false).0, last.is_last_try),
            (&b"i"[..], true)
        );
    }
}
