//! What becomes of a job when the peer has answered: done, later, or refused for good.

use super::{Hopeless, Outgoing, Repeat, Source, WorkQueue};
use crate::conversation::TransferKey;
use crate::name::{Grade, JobId, SpoolKind, SpoolName};
use crate::spool::SpoolError;

impl WorkQueue {
    pub(in crate::engine) fn under_way(&self, key: TransferKey) -> Option<&Outgoing> {
        self.under_way.get(&key)
    }

    /// The request is done: the peer has confirmed it.
    pub(in crate::engine) fn confirmed(&mut self, key: TransferKey) -> Result<(), SpoolError> {
        match self.under_way.remove(&key) {
            Some(outgoing) => {
                self.settle(&outgoing);
                if let Some(progress) = self.jobs.get_mut(&outgoing.job)
                    && outgoing.data.is_none()
                {
                    progress.bare.push(outgoing.request);
                }
                self.finish(&outgoing.job, outgoing.data)
            }
            None => Ok(()),
        }
    }

    pub(super) fn settle(&mut self, outgoing: &Outgoing) {
        if let Some(temp) = outgoing.temp() {
            self.offered.settled(temp);
        }
    }

    /// The peer says that it has the file already: true of one that an earlier call may have brought over. Any other is
    /// offered under a new name, in this call unless that was done before.
    pub(in crate::engine) fn already_received(
        &mut self,
        key: TransferKey,
    ) -> Result<Repeat, SpoolError> {
        let Some(outgoing) = self.under_way.get(&key) else {
            return Ok(Repeat::Disbelieved);
        };
        let known = outgoing
            .temp()
            .and_then(|temp| SpoolName::parse(temp).ok())
            .filter(|name| name.kind() == SpoolKind::Data);
        let Some(name) = known else {
            self.postponed(key);
            return Ok(Repeat::Disbelieved);
        };
        if self.offered.believes(name.as_bytes(), outgoing.queued) {
            self.confirmed(key)?;
            return Ok(Repeat::Believed);
        }
        let job = outgoing.job.clone();
        // The work file of a broken `E` knows its data only: the execute file's name follows from that one's.
        let in_work_file = match name.as_str().strip_prefix("D.X") {
            Some(suffix) if matches!(outgoing.source, Source::Bytes(_)) => {
                SpoolName::parse(format!("D.{suffix}").as_bytes()).unwrap_or(name)
            }
            _ => name,
        };
        self.spool.rename_offer(&job, &in_work_file)?;
        self.postponed(key);
        if self.renamed.insert(job.work.clone()) && !self.jobs.contains_key(&job) {
            self.seen.remove(&job.work);
        }
        Ok(Repeat::Renamed)
    }

    /// The call is over: what was offered and not answered for may be at the peer.
    pub(in crate::engine) fn end(&mut self) -> Result<(), SpoolError> {
        let drained = self.ahead.is_empty()
            && self.requests.is_empty()
            && !self.spool.has_work(&self.system, Grade::LAST)?;
        let doubtful = self.under_way.values().filter_map(Outgoing::temp);
        self.offered.end(doubtful, drained)
    }

    /// The request is to be made again in another call.
    pub(in crate::engine) fn postponed(&mut self, key: TransferKey) {
        if let Some(outgoing) = self.under_way.remove(&key) {
            self.settle(&outgoing);
            self.postpone(&outgoing.job);
        }
    }

    /// The data of a request that was refused for good is kept where a person finds it. It stays the job's, too, until that
    /// [ends](Self::refused). Says where it is, or will be.
    pub(in crate::engine) fn preserve(&mut self, key: TransferKey) -> Result<String, SpoolError> {
        let Some(outgoing) = self.under_way.get(&key) else {
            return Ok(String::new());
        };
        let Some(data) = &outgoing.data else {
            return Ok(String::new());
        };
        let (job, data) = (outgoing.job.clone(), data.clone());
        let mut goes_last = false;
        let kept = self.kept_of(&job, &data, &mut goes_last);
        if let Some(outgoing) = self.under_way.get_mut(&key) {
            outgoing.goes_last = goes_last;
        }
        kept
    }

    /// The request was refused for good. Without its user having been told it stays for another call.
    pub(in crate::engine) fn refused(
        &mut self,
        key: TransferKey,
        told: bool,
    ) -> Result<(), SpoolError> {
        if !told {
            self.postponed(key);
            return Ok(());
        }
        if let Some(outgoing) = self.under_way.get(&key)
            && let Some(data) = outgoing.data.as_ref().filter(|_| outgoing.goes_last)
        {
            self.spool.move_to_preserve(&outgoing.job, data)?;
        }
        self.confirmed(key)
    }

    /// The request can never be done. Without its user having been told it stays for another call.
    pub(in crate::engine) fn given_up(
        &mut self,
        one: Hopeless,
        told: bool,
    ) -> Result<(), SpoolError> {
        if !told {
            self.postpone(&one.job);
            return Ok(());
        }
        if let Some(data) = one.data.as_ref().filter(|_| one.goes_last) {
            self.spool.move_to_preserve(&one.job, data)?;
        }
        self.finish(&one.job, one.data)
    }

    pub(super) fn finish(
        &mut self,
        job: &JobId,
        data: Option<SpoolName>,
    ) -> Result<(), SpoolError> {
        let Some(progress) = self.jobs.get_mut(job) else {
            return Ok(());
        };
        progress.open = progress.open.saturating_sub(1);
        if let Some(data) = data {
            if progress.single {
                progress.done.push(data);
            } else {
                self.spool.finish_request(job, &data)?;
            }
        }
        self.close(job)
    }

    pub(super) fn postpone(&mut self, job: &JobId) {
        if let Some(progress) = self.jobs.get_mut(job) {
            progress.open = progress.open.saturating_sub(1);
            progress.postponed = true;
        }
        let _ = self.close(job);
    }

    /// Removes the job once nothing of it is left to do; one with a postponed request stays, without what is done.
    pub(super) fn close(&mut self, job: &JobId) -> Result<(), SpoolError> {
        let Some(progress) = self.jobs.get_mut(job) else {
            return Ok(());
        };
        if progress.open > progress.hopeless.len() || !progress.read {
            return Ok(());
        }
        let hopeless = std::mem::take(&mut progress.hopeless);
        if !hopeless.is_empty() && !progress.postponed {
            // Out of the queue when their user has been told.
            self.hopeless.extend(hopeless);
            return Ok(());
        }
        self.complaints
            .extend(hopeless.into_iter().map(|one| one.reason));
        let progress = self.jobs.remove(job).unwrap_or_default();
        if progress.postponed {
            // At worst they are done again.
            let dropped = self.spool.drop_requests(job, &progress.bare);
            self.complaints
                .extend(dropped.err().map(|error| error.to_string()));
            return Ok(());
        }
        self.spool.finish_job(job, &progress.done)?;
        // Its name will not come back, so there is no need to remember it.
        self.seen.remove(&job.work);
        Ok(())
    }
}
