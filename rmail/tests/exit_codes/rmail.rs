//! How rmail is run.

use suite_tests::alone::{Home, Run};

/// Runs of rmail on a system.
pub(crate) trait Rmail {
    /// As uuxqt runs it for a job of hub.
    fn rmail(&self, arguments: &[&str], input: &str) -> Run;
    /// With this environment.
    fn rmail_as(&self, environment: &[(&str, &str)], arguments: &[&str], input: &[u8]) -> Run;
}

impl Rmail for Home {
    fn rmail(&self, arguments: &[&str], input: &str) -> Run {
        let environment = [("UU_MACHINE", "hub"), ("UU_USER", "uucp")];
        self.rmail_as(&environment, arguments, input.as_bytes())
    }

    fn rmail_as(&self, environment: &[(&str, &str)], arguments: &[&str], input: &[u8]) -> Run {
        self.receive(env!("CARGO_BIN_EXE_rmail"), environment, arguments, input)
    }
}
