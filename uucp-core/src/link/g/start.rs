//! The start of `g`: INITA, INITB, INITC, each answered by the same.

use super::settings::{Settings, safe_window};
use crate::link::CallRole;
use crate::wire::g::{Control, code_of_size, size_of_code};

/// Which of the three is awaited.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Step {
    A,
    B,
    C,
    Done,
}

/// The exchange, and what comes out of it.
#[derive(Debug)]
pub(super) struct Start {
    role: CallRole,
    sealed: bool,
    step: Step,
    /// How often the awaited packet was asked for, and how often all three.
    tries: u32,
    rounds: u32,
    most_tries: u32,
    most_rounds: u32,
    /// What we are willing to receive.
    window: u8,
    size: usize,
    /// What the peer is; set from outside where it cannot be believed.
    remote_window: u8,
    remote_size: usize,
    forced_window: u8,
    forced_size: usize,
}

impl Start {
    pub(super) fn new(role: CallRole, sealed: bool, settings: &Settings) -> Self {
        let size = size_of_code(code_of_size(settings.packet_size));
        let forced_size = match settings.remote_packet_size {
            0 => 0,
            size => size_of_code(code_of_size(size)),
        };
        Self {
            role,
            sealed,
            step: Step::A,
            tries: 0,
            rounds: 0,
            most_tries: settings.init_retries,
            most_rounds: settings.startup_retries,
            window: safe_window(sealed, settings.window, size),
            size,
            remote_window: 7,
            remote_size: 64,
            forced_window: settings.remote_window,
            forced_size,
        }
    }

    pub(super) fn step(&self) -> Step {
        self.step
    }

    pub(super) fn send_size(&self) -> usize {
        match self.forced_size {
            0 => self.remote_size,
            forced => forced,
        }
    }

    pub(super) fn send_window(&self) -> u8 {
        let window = match self.forced_window {
            0 => self.remote_window,
            forced => forced,
        };
        safe_window(self.sealed, window, self.send_size())
    }

    pub(super) fn describe(&self) -> String {
        format!(
            "sending packet/window {}/{} receiving {}/{}",
            self.send_size(),
            self.send_window(),
            self.size,
            self.window
        )
    }

    /// The caller speaks first; some peers never repeat what they said to somebody who was not there yet.
    pub(super) fn begin(&mut self, out: &mut Vec<u8>) {
        self.step = Step::A;
        if self.role == CallRole::Caller {
            self.emit(Step::A, out);
        }
    }

    fn emit(&self, step: Step, out: &mut Vec<u8>) {
        match step {
            Step::A => Control::InitA(self.window).emit(self.sealed, out),
            Step::B => Control::InitB(code_of_size(self.size)).emit(self.sealed, out),
            Step::C => Control::InitC(self.window).emit(self.sealed, out),
            Step::Done => {}
        }
    }

    /// Takes one of the peer's packets; whether it was the awaited one.
    pub(super) fn handle(&mut self, control: Control, out: &mut Vec<u8>) -> bool {
        let (got, next) = match control {
            Control::InitA(window @ 1..) if self.step <= Step::B => {
                self.remote_window = window;
                (Step::A, Step::B)
            }
            // A size may come again, corrected.
            Control::InitB(code) if self.step >= Step::B => {
                self.remote_size = size_of_code(code);
                (Step::B, Step::C)
            }
            Control::InitC(window @ 1..) if self.step >= Step::C => {
                self.remote_window = window;
                (Step::C, Step::Done)
            }
            _ => return false,
        };
        let awaited = got == self.step;
        if awaited {
            self.step = next;
            self.tries = 0;
        }
        match self.role {
            // The caller asks for the next one, once; the timer asks again.
            CallRole::Caller if awaited => self.emit(next, out),
            CallRole::Caller => {}
            // The answerer says the same, as often as it is asked.
            CallRole::Called => self.emit(got, out),
        }
        awaited
    }

    /// Asks again; false when that was done often enough.
    pub(super) fn handle_timeout(&mut self, out: &mut Vec<u8>) -> bool {
        self.tries += 1;
        if self.tries > self.most_tries {
            self.tries = 0;
            self.rounds += 1;
            self.step = Step::A;
            if self.rounds >= self.most_rounds {
                return false;
            }
        }
        match self.role {
            CallRole::Caller => self.emit(self.step, out),
            // Our last answer may be what got lost.
            CallRole::Called => match self.step {
                Step::B => self.emit(Step::A, out),
                Step::C => self.emit(Step::B, out),
                Step::A | Step::Done => {}
            },
        }
        true
    }
}
