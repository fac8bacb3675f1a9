//! The answerer's own prompts (`uucico -l`): `login: `, `Password:`. No echo, no message for a wrong password.

use std::time::{Duration, Instant};

use crate::config::Secret;

/// Longest line taken; more is thrown away, and the line with it.
const LINE_LIMIT: usize = 256;
/// How often a wrong password may be tried in one call.
const ATTEMPTS: u32 = 3;
/// How many empty lines are answered by another prompt in one call: noise on a line, and scripts that knock a few times.
const EMPTY_LINES: u32 = 20;
/// How long a wrong password is answered by silence, at first; twice as long each time.
const DELAY: Duration = Duration::from_secs(2);
/// How long the whole login may take.
const LIMIT: Duration = Duration::from_mins(1);
/// How long a caller that failed once has for its next line: a chat script does not try again, and its call should not
/// hang until somebody's patience ends.
const SECOND_THOUGHTS: Duration = Duration::from_secs(5);

/// What the prompts come to.
#[derive(Debug, Clone)]
pub(super) enum LoginStep {
    /// Check this name and password, and tell.
    Check(Vec<u8>, Secret),
    /// Logged in under this name.
    Done(Vec<u8>),
    /// No more.
    Failed(String),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Name,
    Password,
    Checking,
    /// After a wrong password, until then.
    Punished(Instant),
    Over,
}

/// The prompts of one call.
pub(super) struct LoginPrompts {
    /// Set by `--login`: no name is asked for.
    fixed: Option<Vec<u8>>,
    name: Vec<u8>,
    state: State,
    line: Vec<u8>,
    overlong: bool,
    after_return: bool,
    strip: bool,
    failures: u32,
    empty_lines: u32,
    deadline: Instant,
    step: Option<LoginStep>,
}

impl LoginPrompts {
    pub(super) fn new(now: Instant, fixed: Option<Vec<u8>>, strip: bool) -> Self {
        Self {
            fixed,
            name: Vec::new(),
            state: State::Name,
            line: Vec::new(),
            overlong: false,
            after_return: false,
            strip,
            failures: 0,
            empty_lines: 0,
            deadline: now + LIMIT,
            step: None,
        }
    }

    pub(super) fn start(&mut self, out: &mut Vec<u8>) {
        self.line.clear();
        self.overlong = false;
        if let Some(name) = &self.fixed {
            self.name.clone_from(name);
            self.ask_password(out);
        } else {
            self.state = State::Name;
            out.extend_from_slice(b"login: ");
        }
    }

    fn ask_password(&mut self, out: &mut Vec<u8>) {
        self.state = State::Password;
        out.extend_from_slice(b"Password:");
    }

    pub(super) fn poll_step(&mut self) -> Option<LoginStep> {
        self.step.take()
    }

    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        match self.state {
            State::Over | State::Checking => None,
            State::Punished(until) => Some(until.min(self.deadline)),
            State::Name | State::Password => Some(self.deadline),
        }
    }

    pub(super) fn handle_timeout(&mut self, now: Instant, out: &mut Vec<u8>) {
        match self.state {
            State::Punished(until) if until <= now => {
                self.deadline = self.deadline.min(now + SECOND_THOUGHTS);
                self.start(out);
            }
            State::Name | State::Password if self.deadline <= now => {
                self.fail("Timed out waiting for login");
            }
            _ => {}
        }
    }

    /// Takes bytes up to the end of the password: what follows belongs to the handshake.
    pub(super) fn handle_input(&mut self, input: &[u8], out: &mut Vec<u8>) -> usize {
        let mut used = 0;
        for &byte in input {
            match self.state {
                State::Name | State::Password => self.take(byte, out),
                // What is typed ahead of the next prompt is thrown away.
                State::Punished(_) => {}
                State::Checking | State::Over => break,
            }
            used += 1;
        }
        used
    }

    fn take(&mut self, byte: u8, out: &mut Vec<u8>) {
        let byte = if self.strip { byte & 0x7f } else { byte };
        let after_return = std::mem::replace(&mut self.after_return, byte == b'\r');
        match byte {
            b'\n' if after_return => {}
            b'\r' | b'\n' => self.end_line(out),
            _ if self.line.len() >= LINE_LIMIT => self.overlong = true,
            _ => self.line.push(byte),
        }
    }

    fn end_line(&mut self, out: &mut Vec<u8>) {
        let mut line = std::mem::take(&mut self.line);
        if std::mem::take(&mut self.overlong) {
            line.clear();
        }
        match self.state {
            State::Name if line.is_empty() => {
                self.empty_lines += 1;
                if self.empty_lines > EMPTY_LINES {
                    self.fail("No login name, only empty lines");
                } else {
                    self.start(out);
                }
            }
            State::Name => {
                self.name = line;
                self.ask_password(out);
            }
            _ => {
                self.state = State::Checking;
                self.step = Some(LoginStep::Check(self.name.clone(), Secret::new(line)));
            }
        }
    }

    pub(super) fn answer(&mut self, now: Instant, good: bool) {
        if self.state != State::Checking {
            return;
        }
        if good {
            self.state = State::Over;
            self.step = Some(LoginStep::Done(self.name.clone()));
            return;
        }
        self.failures += 1;
        if self.failures >= ATTEMPTS {
            self.fail("Bad login");
        } else {
            self.state = State::Punished(now + DELAY * self.failures);
        }
    }

    fn fail(&mut self, reason: &str) {
        self.state = State::Over;
        let reason = if self.failures > 0 {
            "Bad login"
        } else {
            reason
        };
        self.step = Some(LoginStep::Failed(reason.to_owned()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn prompts(fixed: Option<&[u8]>) -> (LoginPrompts, Vec<u8>, Instant) {
        let now = Instant::now();
        let mut prompts = LoginPrompts::new(now, fixed.map(<[u8]>::to_vec), true);
        let mut out = Vec::new();
        prompts.start(&mut out);
        (prompts, out, now)
    }

    #[test]
    fn an_empty_line_asks_again_and_a_newline_after_a_return_is_one_line() {
        let (mut prompts, mut out, now) = prompts(None);
        let used = prompts.handle_input(b"\r\nUalpha\r\nxyzzy\r\x10S", &mut out);
        assert_eq!(out, b"login: login: Password:");
        // The handshake's bytes are not taken.
        assert_eq!(used, b"\r\nUalpha\r\nxyzzy\r".len());
        match prompts.poll_step() {
            Some(LoginStep::Check(name, password)) => {
                assert_eq!(name, b"Ualpha");
                assert_eq!(password.expose(), b"xyzzy");
            }
            other => panic!("{other:?}"),
        }
        prompts.answer(now, true);
        assert!(matches!(prompts.poll_step(), Some(LoginStep::Done(name)) if name == b"Ualpha"));
    }

    #[test]
    fn with_a_given_name_only_the_password_is_asked() {
        let (mut prompts, mut out, _) = prompts(Some(b"arch.example"));
        assert_eq!(out, b"Password:");
        prompts.handle_input(b"secret\n", &mut out);
        assert!(
            matches!(prompts.poll_step(), Some(LoginStep::Check(name, _)) if name == b"arch.example")
        );
    }

    #[test]
    fn wrong_passwords_are_answered_slowly_and_not_for_ever() {
        let (mut prompts, mut out, mut now) = prompts(None);
        for attempt in 1..=3 {
            out.clear();
            prompts.handle_input(b"U\rwrong\r", &mut out);
            assert!(matches!(prompts.poll_step(), Some(LoginStep::Check(..))));
            prompts.answer(now, false);
            if attempt < 3 {
                // Nothing is read nor said before the time is up.
                out.clear();
                prompts.handle_input(b"U\rright\r", &mut out);
                assert!(out.is_empty() && prompts.poll_step().is_none());
                let until = prompts.poll_timeout().unwrap();
                // Longer each time, and not a moment less.
                assert_eq!(until - now, DELAY * attempt);
                prompts.handle_timeout(
                    until.checked_sub(Duration::from_millis(1)).unwrap(),
                    &mut out,
                );
                assert!(out.is_empty());
                now = until;
                prompts.handle_timeout(now, &mut out);
                assert_eq!(out, b"login: ");
            }
        }
        assert!(matches!(prompts.poll_step(), Some(LoginStep::Failed(_))));
    }

    #[test]
    fn endless_lines_and_endless_silence_end() {
        let (mut prompts, mut out, _) = prompts(None);
        prompts.handle_input(&vec![b'x'; 1 << 20], &mut out);
        assert!(prompts.line.len() <= LINE_LIMIT);
        let now = prompts.poll_timeout().unwrap();
        prompts.handle_timeout(now, &mut out);
        assert!(matches!(prompts.poll_step(), Some(LoginStep::Failed(_))));
    }

    #[test]
    fn empty_lines_are_answered_a_few_times_and_no_more() {
        let (mut login, mut out, _) = prompts(None);
        let used = login.handle_input(&vec![b'\r'; 1 << 20], &mut out);
        let shown = usize::try_from(EMPTY_LINES).unwrap() + 1;
        assert_eq!((used, out), (shown, b"login: ".repeat(shown)));
        match login.poll_step() {
            Some(LoginStep::Failed(reason)) => assert!(reason.contains("empty lines"), "{reason}"),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn half_lines_are_no_lines_and_long_ones_are_nobodys_name() {
        let (mut login, mut out, _) = prompts(None);
        login.handle_input(b"Ualpha", &mut out);
        assert_eq!(out, b"login: ");
        let now = login.poll_timeout().unwrap();
        login.handle_timeout(now, &mut out);
        match login.poll_step() {
            Some(LoginStep::Failed(reason)) => assert_eq!(reason, "Timed out waiting for login"),
            other => panic!("{other:?}"),
        }
        // The beginning of a long line is not taken for the whole.
        let (mut login, mut out, _) = prompts(None);
        let line = [&[b'U'; LINE_LIMIT + 1][..], b"\r"].concat();
        login.handle_input(&line, &mut out);
        assert_eq!(out, b"login: login: ");
        login.handle_input(b"\xd5alpha\r", &mut out);
        assert!(out.ends_with(b"Password:"));
        login.handle_input(&line, &mut out);
        match login.poll_step() {
            Some(LoginStep::Check(name, password)) => {
                // A parity bit is no part of a name.
                assert_eq!(name, b"Ualpha");
                assert!(password.expose().is_empty());
            }
            other => panic!("{other:?}"),
        }
    }
}
