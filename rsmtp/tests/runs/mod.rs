//! How rsmtp is run.

use std::process::{Child, Stdio};

use suite_tests::alone::{Home, Run};

const PROGRAM: &str = env!("CARGO_BIN_EXE_rsmtp");

/// What uuxqt says in the environment.
pub(crate) const UUXQT: [(&str, &str); 3] = [
    ("UU_MACHINE", "hub"),
    ("UU_USER", "uucp"),
    ("UU_JOB", "X.hubN0001"),
];

/// Runs of rsmtp on a system.
pub(crate) trait Rsmtp {
    /// As uuxqt runs it.
    fn rsmtp(&self, input: &[u8]) -> Run;
    /// As a person runs it.
    fn by_hand(&self, arguments: &[&str], input: &[u8]) -> Run;
    /// With this environment.
    fn rsmtp_as(&self, environment: &[(&str, &str)], arguments: &[&str], input: &[u8]) -> Run;
    /// Under another name.
    fn under_name(
        &self,
        name: &str,
        environment: &[(&str, &str)],
        arguments: &[&str],
        input: &[u8],
    ) -> Run;
    /// As uuxqt starts it for this job.
    fn start(&self, job: &str, input: &[u8]) -> Child;
    /// Starts to offer again all that is kept.
    fn start_retry(&self) -> Child;
    /// How many messages are kept for this neighbour.
    fn kept(&self, neighbour: &str) -> usize;
}

impl Rsmtp for Home {
    fn rsmtp(&self, input: &[u8]) -> Run {
        self.rsmtp_as(&UUXQT, &[], input)
    }

    fn by_hand(&self, arguments: &[&str], input: &[u8]) -> Run {
        self.rsmtp_as(&[], arguments, input)
    }

    fn rsmtp_as(&self, environment: &[(&str, &str)], arguments: &[&str], input: &[u8]) -> Run {
        self.receive(PROGRAM, environment, arguments, input)
    }

    fn under_name(
        &self,
        name: &str,
        environment: &[(&str, &str)],
        arguments: &[&str],
        input: &[u8],
    ) -> Run {
        let link = self.path(name);
        if !link.exists() {
            std::os::unix::fs::symlink(PROGRAM, &link).unwrap();
        }
        self.receive(link.to_str().unwrap(), environment, arguments, input)
    }

    fn start(&self, job: &str, input: &[u8]) -> Child {
        let environment = [("UU_MACHINE", "hub"), ("UU_JOB", job)];
        self.receiver(PROGRAM, &environment, &[], input)
            .stderr(Stdio::null())
            .spawn()
            .unwrap()
    }

    fn start_retry(&self) -> Child {
        self.receiver(PROGRAM, &[], &["--retry", "--now"], b"")
            .stderr(Stdio::null())
            .spawn()
            .unwrap()
    }

    fn kept(&self, neighbour: &str) -> usize {
        let folder = self.path("spool/.Mail/kept").join(neighbour);
        std::fs::read_dir(folder).map_or(0, |entries| {
            let names = entries.map(|entry| entry.unwrap().file_name());
            names.filter(|name| name.len() == 64).count()
        })
    }
}
