//! Who runs us, and for whom: what `uuxqt` and `nncp-toss` say in the environment.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;

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
        })
    }
}

impl Origin {
    /// The same neighbour's next job.
    pub fn is_now(&mut self, user: &OsStr, job: &OsStr) {
        self.user = Some(printable(user.as_bytes()));
        self.job = job.as_bytes().to_vec();
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
}
