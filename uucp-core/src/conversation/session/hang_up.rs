//! Hanging up: `H`, `HY`, `HN`, and the link's own farewell.

use std::time::Instant;

use super::Session;
use crate::conversation::{ConversationError, Question};
use crate::link::Channel;
use crate::wire::command::Command;

/// How far the hanging up has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum HangUp {
    /// Not begun.
    No,
    /// As master: `H` is out.
    Asked,
    /// As slave: `HY HY` is out.
    Agreed,
    /// The link's own closing exchange.
    Closing,
    /// Raw bytes again.
    Closed,
}

impl Session {
    /// Whether the link has closed and raw bytes follow.
    pub(in crate::conversation) fn is_closed(&self) -> bool {
        self.hang_up == HangUp::Closed
    }

    /// Whether both sides have agreed to end the call: a line that is lost from here on does no harm.
    pub(in crate::conversation) fn is_ending(&self) -> bool {
        matches!(
            self.hang_up,
            HangUp::Agreed | HangUp::Closing | HangUp::Closed
        )
    }

    /// The slave's answer to `H` depends on whether there is work.
    pub(super) fn handle_hang_up(&mut self, now: Instant) -> Result<(), ConversationError> {
        if self.master {
            return self.out_of_turn("H from the slave");
        }
        if self.hang_up != HangUp::No {
            return Ok(());
        }
        if self.ours.is_empty() {
            self.dry = false;
            self.ask_for_work(Question::LastWork);
        } else {
            self.become_master(now);
        }
        Ok(())
    }

    pub(super) fn become_master(&mut self, now: Instant) {
        self.send(now, Channel(0), false, &Command::HangUpNo);
        self.master = true;
        self.hand_over = false;
        self.looked_last = false;
        self.wants_turn = false;
    }

    pub(super) fn handle_hang_up_yes(&mut self, now: Instant) {
        match self.hang_up {
            HangUp::Asked => {
                self.send(now, Channel(0), false, &Command::HangUpYes);
                self.close(now);
            }
            HangUp::Agreed => self.close(now),
            _ => {}
        }
    }

    pub(super) fn handle_hang_up_no(&mut self) {
        if self.hang_up == HangUp::Asked {
            self.hang_up = HangUp::No;
            self.master = false;
            self.hand_over = false;
            // What comes in while the other side works is found when it asks to hang up.
            self.dry = true;
        }
    }

    pub(super) fn close(&mut self, now: Instant) {
        self.hang_up = HangUp::Closing;
        self.link.close(now);
    }
}
