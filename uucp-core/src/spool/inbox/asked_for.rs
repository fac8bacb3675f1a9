//! Jobs of ours that the neighbour has asked for.

use std::time::Instant;

use super::Inbox;
use crate::name::Grade;
use crate::spool::SpoolError;
use crate::spool::workfile::emit_requests;
use crate::wire::command::Request;

impl Inbox {
    /// Queues files for the neighbour that it has asked for by a pattern. The work file lies in its part of the spool until it
    /// has them.
    ///
    /// # Errors
    /// When there is no room there, or the spool fails; then nothing is queued.
    pub fn queue_asked_for(
        &mut self,
        grade: Grade,
        requests: &[Request],
    ) -> Result<(), SpoolError> {
        // What cannot be written down is told when it is queued.
        let size = emit_requests(requests).map_or(0, |lines| lines.len() as u64);
        let claim = match &mut self.quota {
            Some(quota) => {
                let claim = quota.claim(&self.spool, &self.system, (size, 0), Instant::now())?;
                Some(claim.map_err(|full| full.told_of(&self.system))?)
            }
            None => None,
        };
        self.spool
            .queue(&self.system, grade, requests, Vec::new())?;
        if let Some(mut claim) = claim {
            claim.keep();
        }
        Ok(())
    }
}
