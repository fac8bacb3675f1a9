//! Calls under way: their processes, begun when there is room, and what these tell.

use std::cmp::Reverse;
use std::io;
use std::os::fd::OwnedFd;
use std::process::{Command, Stdio};
use std::time::Instant;

use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::sys::epoll::{EpollEvent, EpollFlags};

use super::{CALLS, Call, Door, GRACE, LOGINS_PER_ORIGIN, Origin, Waiting};
use crate::engine::server::report::{Report, read};

impl Door {
    /// What the process of a call tells.
    pub(super) fn listen(&mut self, now: Instant, number: u64) {
        let Some(call) = self.calls.get_mut(&number) else {
            return;
        };
        let Some(input) = &call.reports else {
            return;
        };
        let (reports, more) = read(input);
        for report in reports {
            match report {
                Report::LoggedIn => {
                    call.logged_in = true;
                    self.reputation.logged_in(now, call.origin);
                }
                Report::WrongPassword => self.reputation.failed(now, call.origin),
            }
        }
        if !more {
            // Its end was closed, and with ours it leaves the set.
            call.reports = None;
        }
    }

    pub(super) fn forget_ended(&mut self, now: Instant) {
        self.dying
            .retain_mut(|child| matches!(child.try_wait(), Ok(None)));
        let ended = |(number, call): (&u64, &mut Call)| match call.child.try_wait() {
            Ok(None) => None,
            _ => Some(*number),
        };
        let ended: Vec<u64> = self.calls.iter_mut().filter_map(ended).collect();
        for number in ended {
            self.listen(now, number);
            self.calls.remove(&number);
        }
    }

    /// Starts processes for those that have said their first line, as far as there is room.
    pub(super) fn start_ready(&mut self, now: Instant, log: &mut dyn FnMut(&str)) {
        self.grace_over = None;
        let ready = self.waiting.iter().filter(|(_, one)| one.ready);
        let mut ready: Vec<(bool, u64, Origin)> = ready
            .map(|(number, one)| {
                (
                    !self.reputation.is_friend(now, one.origin),
                    *number,
                    one.origin,
                )
            })
            .collect();
        ready.sort_unstable_by_key(|(stranger, number, _)| (*stranger, *number));
        for (_, number, origin) in ready {
            // Whoever else is behind an address is not kept out by those there that never say who they are.
            if self.logins(origin) >= LOGINS_PER_ORIGIN && !self.end_a_login(now, Some(origin), log)
            {
                self.wait_for_grace(Some(origin));
                continue;
            }
            if self.calls.len() >= CALLS && !self.end_a_login(now, None, log) {
                self.wait_for_grace(None);
                return;
            }
            let Some(waiting) = self.remove(number) else {
                continue;
            };
            let from = waiting.from;
            if let Err(error) = self.start(now, waiting) {
                let text = format!("Call from {from} dropped: {error}");
                self.complaints.tell(now, &text, log);
            }
        }
    }

    /// How many calls from one place have not logged in.
    fn logins(&self, origin: Origin) -> usize {
        self.half_open(Some(origin)).count()
    }

    /// The calls that have not logged in, from one place or from all; the oldest first.
    fn half_open(&self, origin: Option<Origin>) -> impl Iterator<Item = (u64, &Call)> {
        let calls = self.calls.iter().map(|(number, call)| (*number, call));
        calls.filter(move |(_, call)| {
            !call.logged_in && origin.is_none_or(|origin| call.origin == origin)
        })
    }

    /// The next look is due when the oldest of these may be ended.
    fn wait_for_grace(&mut self, origin: Option<Origin>) {
        let oldest = self.half_open(origin).next();
        let over = oldest.map(|(_, call)| call.since + GRACE);
        self.grace_over = [self.grace_over, over].into_iter().flatten().min();
    }

    /// Makes room for a call, among all or among those from its place, by ending one that has not logged in; false: there is none
    /// that had time enough.
    fn end_a_login(
        &mut self,
        now: Instant,
        origin: Option<Origin>,
        log: &mut dyn FnMut(&str),
    ) -> bool {
        let rank = |call: &Call| {
            let friend = self.reputation.is_friend(now, call.origin);
            (friend, Reverse(self.logins(call.origin)), call.since)
        };
        let logins = self.half_open(origin);
        let logins = logins.filter(|(_, call)| call.since + GRACE <= now);
        let Some(number) = logins
            .min_by_key(|(_, call)| rank(call))
            .map(|(number, _)| number)
        else {
            return false;
        };
        // It may have just come in.
        self.listen(now, number);
        let Some(call) = self.calls.get(&number).filter(|call| !call.logged_in) else {
            return false;
        };
        let seconds = now.duration_since(call.since).as_secs();
        let text = format!(
            "Call from {} dropped: not logged in after {seconds} seconds, and others wait",
            call.from
        );
        self.complaints.tell(now, &text, log);
        if let Some(mut call) = self.calls.remove(&number) {
            // It holds nothing that anybody would miss.
            let _ = call.child.kill();
            self.dying.push(call.child);
        }
        true
    }

    fn start(&mut self, now: Instant, waiting: Waiting) -> io::Result<()> {
        let (reports, output) = io::pipe()?;
        fcntl(&reports, FcntlArg::F_SETFL(OFlag::O_NONBLOCK))?;
        waiting.stream.set_nonblocking(false)?;
        let command = &waiting.answerer.command;
        // With our signals blocked, until it takes them itself: were they let through for the moment of the start, one that
        // comes just then would end the server.
        let child = Command::new(&command.program)
            .args(&command.arguments)
            .env_remove("NOTIFY_SOCKET")
            .stdin(Stdio::from(OwnedFd::from(waiting.stream)))
            .stdout(Stdio::from(output))
            .spawn()?;
        self.last += 1;
        let watched = self
            .epoll
            .add(&reports, EpollEvent::new(EpollFlags::EPOLLIN, self.last));
        let call = Call {
            child,
            from: waiting.from,
            origin: waiting.origin,
            since: now,
            reports: Some(reports),
            // One that cannot be heard is not to be ended for its silence.
            logged_in: watched.is_err(),
        };
        self.calls.insert(self.last, call);
        Ok(())
    }
}
