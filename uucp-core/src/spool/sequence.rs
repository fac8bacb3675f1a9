//! Call sequence numbers (`.Sequence/SYSTEM`), for systems that are told to check them.

use super::{Spool, SpoolError};
use crate::name::SystemName;

impl Spool {
    /// The number of the last call; 0 before the first.
    ///
    /// # Errors
    /// When the file cannot be read or holds no number.
    pub fn call_sequence(&self, _system: &SystemName) -> Result<u32, SpoolError> {
        todo!()
    }

    /// Remembers the number of the call that is being made, durably.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn set_call_sequence(&self, _system: &SystemName, _number: u32) -> Result<(), SpoolError> {
        todo!()
    }
}
