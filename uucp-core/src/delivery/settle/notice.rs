//! The postmaster is told that messages were set aside: standard error of a program that uuxqt runs is read by nobody.

use super::super::Reply;
use super::Receiver;
use crate::address::Address;
use crate::name::SystemName;
use crate::report::note;
use crate::spool::{Spool, count_in_hour, make_shared_directory};

/// Notices about one neighbour in an hour: the first says where to look.
const NOTICES_PER_HOUR: u32 = 1;

impl Receiver<'_> {
    /// Tells the postmaster, at most once an hour for each neighbour. Gives what went wrong with that: the message is kept
    /// all the same.
    pub(super) fn notify_postmaster(
        &self,
        refused: &[(Address, Reply)],
        aside: &str,
    ) -> Option<String> {
        let spool = self.spool?;
        self.try_to_notify(spool, refused, aside)
            .err()
            .map(|error| format!("the postmaster cannot be told: {error}"))
    }

    fn try_to_notify(
        &self,
        spool: &Spool,
        refused: &[(Address, Reply)],
        aside: &str,
    ) -> Result<(), Box<dyn std::error::Error>> {
        // That the postmaster has no mailbox is nothing to tell the postmaster.
        let postmaster = note::postmaster(self.config);
        if refused
            .iter()
            .any(|(recipient, _)| recipient.as_bytes() == postmaster)
        {
            return Ok(());
        }
        let folder = self.around.state.join("notices");
        make_shared_directory(&folder)?;
        let neighbour = self.neighbour.map_or("-", SystemName::as_str);
        let file = folder.join(neighbour);
        if !count_in_hour(&file, NOTICES_PER_HOUR, self.observed()?)? {
            return Ok(());
        }
        let text = self.notice(refused, aside);
        note::tell_postmaster(spool, self.config, "UUCP mail set aside", &text)?;
        Ok(())
    }

    fn notice(&self, refused: &[(Address, Reply)], aside: &str) -> String {
        let from = self.neighbour.map_or_else(
            || "of this system itself".to_owned(),
            |n| format!("from {n}"),
        );
        let mut text = format!(
            "A message {from} could not be delivered, and nobody could be told.\nIt was {aside}.\n\n"
        );
        for (recipient, reply) in refused.iter().take(20) {
            let line = format!("{recipient}: {} {reply}", reply.status);
            text.push_str(&note::shown(line.as_bytes()));
            text.push('\n');
        }
        text.push_str(
            "\nOthers of this hour lie in the same folder, without another note. The oldest go when there are more bytes than\n\
             kept-limit of mail.toml.\n",
        );
        text
    }
}
