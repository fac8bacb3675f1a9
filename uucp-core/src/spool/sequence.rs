//! Call sequence numbers (`.Sequence/SYSTEM`), for systems that are told to check them.

use super::{Spool, SpoolError, durable};
use crate::name::SystemName;

/// Taylor insists on exactly this mode.
const SEQUENCE_MODE: u32 = 0o600;

impl Spool {
    /// The number of the last call; 0 before the first.
    ///
    /// # Errors
    /// When the file cannot be read or holds no number.
    pub fn call_sequence(&self, system: &SystemName) -> Result<u32, SpoolError> {
        let path = self.taylor_folder(".Sequence").join(system.as_str());
        let Some(content) = durable::read_small(&path, 64)? else {
            return Ok(0);
        };
        std::str::from_utf8(&content)
            .ok()
            .and_then(|text| text.trim().parse().ok())
            .ok_or_else(|| SpoolError::Corrupt {
                path,
                reason: "not a call sequence number".to_owned(),
            })
    }

    /// Remembers the number of the call that is being made, durably: a number used twice looks like an intruder to the
    /// other side.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn set_call_sequence(&self, system: &SystemName, number: u32) -> Result<(), SpoolError> {
        durable::replace(
            &self.new_path(),
            &self.taylor_folder(".Sequence").join(system.as_str()),
            SEQUENCE_MODE,
            number.to_string().as_bytes(),
            true,
        )
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::MetadataExt;

    use super::super::tests::TestSpool;
    use super::*;

    #[test]
    fn the_number_is_kept_in_taylors_form() {
        let test = TestSpool::new();
        let beta: SystemName = "beta".parse().unwrap();
        assert_eq!(test.spool.call_sequence(&beta).unwrap(), 0);
        test.spool.set_call_sequence(&beta, 41).unwrap();
        test.spool.set_call_sequence(&beta, 42).unwrap();
        assert_eq!(test.spool.call_sequence(&beta).unwrap(), 42);
        let path = test.spool.root().join(".Sequence/beta");
        assert_eq!(std::fs::read(&path).unwrap(), b"42");
        assert_eq!(std::fs::metadata(&path).unwrap().mode() & 0o7777, 0o600);
        std::fs::write(&path, "many").unwrap();
        assert!(test.spool.call_sequence(&beta).is_err());
    }
}
