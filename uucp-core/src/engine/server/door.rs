//! The door: connections that have said nothing yet, and the calls that are being answered.
//!
//! A connection waits here until its first line is there, which is only looked at, not taken: then a process is started for
//! it. So ten thousand that say nothing cost descriptors, at most [`WAITING`] of them; when those run out, whoever has been
//! silent longest goes. Who talks without logging in has a process, and loses it after [`GRACE`] when somebody else needs
//! it: anybody when there are [`CALLS`], somebody from the same place when [`LOGINS_PER_ORIGIN`] there have not logged in. Places from which a known system has called come first in everything.

mod calls;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, HashMap};
use std::io::{self, PipeReader, Write};
use std::net::{IpAddr, TcpStream};
use std::os::fd::{AsFd, BorrowedFd};
use std::process::Child;
use std::rc::Rc;
use std::time::{Duration, Instant};

use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};

use super::Answerer;
use super::complaints::Complaints;
use super::origin::{Origin, Reputation};
use crate::limits;

/// How many calls at once.
const CALLS: usize = 100;
/// How many of them from one place before they have logged in.
const LOGINS_PER_ORIGIN: usize = 10;
/// How many connections wait at once, where so many descriptors may be had.
const WAITING: u64 = 4096;
/// How many of them from one place; and from one from which a known system has called.
const WAITING_PER_ORIGIN: usize = 64;
const WAITING_PER_FRIEND: usize = 512;
/// Descriptors for everything else.
const OTHER_DESCRIPTORS: u64 = 300;
/// How long a connection may take for its first line.
const FIRST_LINE: Duration = Duration::from_mins(1);
/// How long a process that has not logged in is left alone though others want its place.
const GRACE: Duration = Duration::from_secs(5);
/// A line longer than this is nobody's name; it is answered, not waited for.
const LONGEST_LINE: usize = 256;
/// How many events are read at a time.
const EVENTS: usize = 256;

/// A connection that waits.
#[derive(Debug)]
struct Waiting {
    stream: TcpStream,
    from: IpAddr,
    origin: Origin,
    since: Instant,
    answerer: Rc<Answerer>,
    /// Its first line is there.
    ready: bool,
}

/// A call under way.
#[derive(Debug)]
struct Call {
    child: Child,
    from: IpAddr,
    origin: Origin,
    since: Instant,
    reports: Option<PipeReader>,
    logged_in: bool,
}

/// Everything that has come in and not gone again. The numbers of connections and calls grow: the first is the oldest.
#[derive(Debug)]
pub(in crate::engine) struct Door {
    epoll: Epoll,
    last: u64,
    waiting: BTreeMap<u64, Waiting>,
    /// How many wait from each place.
    crowds: HashMap<Origin, usize>,
    calls: BTreeMap<u64, Call>,
    /// Killed, and not reaped yet.
    dying: Vec<Child>,
    room: usize,
    /// When a process that has not logged in may be ended for one that waits.
    grace_over: Option<Instant>,
    reputation: Reputation,
    complaints: Complaints,
}

impl Door {
    /// A door at which nobody stands.
    ///
    /// # Errors
    /// When the operating system has no descriptor for it.
    pub(in crate::engine) fn open() -> io::Result<Self> {
        let descriptors = limits::descriptors(WAITING + OTHER_DESCRIPTORS);
        let room = descriptors.saturating_sub(OTHER_DESCRIPTORS);
        Ok(Self {
            epoll: Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC)?,
            last: 0,
            waiting: BTreeMap::new(),
            crowds: HashMap::new(),
            calls: BTreeMap::new(),
            dying: Vec::new(),
            room: usize::try_from(room)
                .unwrap_or(usize::MAX)
                .max(WAITING_PER_ORIGIN),
            grace_over: None,
            reputation: Reputation::default(),
            complaints: Complaints::default(),
        })
    }

    /// Somebody has connected. Who is hung up on can read why in the log: that is written first.
    pub(in crate::engine) fn arrive(
        &mut self,
        now: Instant,
        answerer: &Rc<Answerer>,
        stream: TcpStream,
        from: IpAddr,
        log: &mut dyn FnMut(&str),
    ) {
        let origin = Origin::from(from);
        if let Some(left) = self.reputation.barred(now, origin) {
            let seconds = left.as_secs().max(1);
            let text = format!(
                "Call from {from} dropped: too many wrong passwords from {origin}; for {seconds} seconds nothing is taken from there"
            );
            return self.complaints.tell(now, &text, log);
        }
        self.make_way(now, origin, log);
        if let Err(error) = self.keep(now, answerer, stream, from) {
            let text = format!("Call from {from} dropped: {error}");
            self.complaints.tell(now, &text, log);
        }
    }

    /// Room for one more connection.
    fn make_way(&mut self, now: Instant, origin: Origin, log: &mut dyn FnMut(&str)) {
        let limit = if self.reputation.is_friend(now, origin) {
            WAITING_PER_FRIEND
        } else {
            WAITING_PER_ORIGIN
        };
        let crowd = self.crowds.get(&origin).copied().unwrap_or(0);
        let (victim, why) = if crowd >= limit {
            let mut same = self.waiting.iter().filter(|(_, one)| one.origin == origin);
            let victim = same
                .clone()
                .find(|(_, one)| !one.ready)
                .or_else(|| same.next());
            (victim, format!("{crowd} calls from {origin} wait"))
        } else if self.waiting.len() >= self.room {
            let stranger = |one: &Waiting| !self.reputation.is_friend(now, one.origin);
            let mut all = self.waiting.iter();
            let mut silent = all.clone().filter(|(_, one)| !one.ready);
            let victim = silent
                .clone()
                .find(|(_, one)| stranger(one))
                .or_else(|| silent.next())
                .or_else(|| all.next());
            (victim, format!("{} calls wait", self.waiting.len()))
        } else {
            return;
        };
        if let Some((number, _)) = victim.map(|(number, one)| (*number, one)) {
            self.dismiss(
                now,
                number,
                &format!("it has not logged in, and {why}"),
                log,
            );
        }
    }

    fn keep(
        &mut self,
        now: Instant,
        answerer: &Rc<Answerer>,
        mut stream: TcpStream,
        from: IpAddr,
    ) -> io::Result<()> {
        stream.set_nonblocking(true)?;
        if !answerer.greeting.is_empty() {
            stream.write_all(&answerer.greeting)?;
        }
        self.last += 1;
        // Told once of each arrival: half a line does not keep us busy.
        let flags = EpollFlags::EPOLLIN | EpollFlags::EPOLLRDHUP | EpollFlags::EPOLLET;
        self.epoll.add(&stream, EpollEvent::new(flags, self.last))?;
        let origin = Origin::from(from);
        *self.crowds.entry(origin).or_default() += 1;
        let waiting = Waiting {
            stream,
            from,
            origin,
            since: now,
            answerer: Rc::clone(answerer),
            ready: false,
        };
        self.waiting.insert(self.last, waiting);
        Ok(())
    }

    /// Looks at everything that may have changed.
    pub(in crate::engine) fn look(&mut self, now: Instant, log: &mut dyn FnMut(&str)) {
        self.read_events(now);
        self.forget_ended(now);
        self.dismiss_silent(now, log);
        self.start_ready(now, log);
        self.complaints.go_on(now, log);
    }

    fn read_events(&mut self, now: Instant) {
        let mut events = [EpollEvent::empty(); EVENTS];
        loop {
            let count = self
                .epoll
                .wait(&mut events, EpollTimeout::ZERO)
                .unwrap_or(0);
            for event in events.iter().take(count) {
                let number = event.data();
                if self.calls.contains_key(&number) {
                    self.listen(now, number);
                } else {
                    self.look_at(number, event.events());
                }
            }
            if count < EVENTS {
                return;
            }
        }
    }

    /// Whether a connection has said its first line, or has gone again.
    fn look_at(&mut self, number: u64, events: EpollFlags) {
        let Some(waiting) = self.waiting.get_mut(&number) else {
            return;
        };
        let over = EpollFlags::EPOLLRDHUP | EpollFlags::EPOLLHUP | EpollFlags::EPOLLERR;
        let mut buffer = [0; LONGEST_LINE];
        let gone = events.intersects(over)
            || match waiting.stream.peek(&mut buffer) {
                Ok(0) => true,
                Ok(count) => {
                    let binary = waiting.answerer.greeting.is_empty();
                    let bytes = buffer.get(..count).unwrap_or_default();
                    waiting.ready |= binary || is_whole(bytes);
                    false
                }
                Err(error) => error.kind() != io::ErrorKind::WouldBlock,
            };
        if gone {
            self.remove(number);
        }
    }

    fn dismiss_silent(&mut self, now: Instant, log: &mut dyn FnMut(&str)) {
        while let Some((number, oldest)) = self.waiting.first_key_value()
            && oldest.since + FIRST_LINE <= now
        {
            let number = *number;
            self.dismiss(now, number, "Timed out waiting for login", log);
        }
    }

    /// Hangs up on a connection that waits.
    fn dismiss(&mut self, now: Instant, number: u64, why: &str, log: &mut dyn FnMut(&str)) {
        if let Some(waiting) = self.waiting.get(&number) {
            let text = format!("Call from {} dropped: {why}", waiting.from);
            self.complaints.tell(now, &text, log);
        }
        self.remove(number);
    }

    fn remove(&mut self, number: u64) -> Option<Waiting> {
        let waiting = self.waiting.remove(&number)?;
        // A process that has the connection would keep it in the set.
        let _ = self.epoll.delete(&waiting.stream);
        if let Some(crowd) = self.crowds.get_mut(&waiting.origin) {
            *crowd -= 1;
            if *crowd == 0 {
                self.crowds.remove(&waiting.origin);
            }
        }
        Some(waiting)
    }

    /// When [`look`](Self::look) has something to do though nothing has happened.
    pub(in crate::engine) fn deadline(&self) -> Option<Instant> {
        let silent = self.waiting.first_key_value();
        let silent = silent.map(|(_, oldest)| oldest.since + FIRST_LINE);
        [silent, self.grace_over].into_iter().flatten().min()
    }

    /// Whether no call is under way.
    pub(in crate::engine) fn is_idle(&self) -> bool {
        self.calls.is_empty()
    }

    /// Nobody else comes in: those that have not been let in go.
    pub(in crate::engine) fn shut(&mut self) {
        self.waiting.clear();
        self.crowds.clear();
    }

    /// The processes of the calls under way.
    pub(in crate::engine) fn children(&self) -> impl Iterator<Item = &Child> {
        self.calls.values().map(|call| &call.child)
    }
}

impl AsFd for Door {
    /// Becomes readable when [`look`](Self::look) would find something new; a process that ends does not show here.
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.epoll.0.as_fd()
    }
}

/// Whether there is a whole line, or more than any; lines may come with parity bits.
fn is_whole(bytes: &[u8]) -> bool {
    bytes.len() >= LONGEST_LINE
        || bytes
            .iter()
            .any(|byte| matches!(byte & 0x7f, b'\r' | b'\n'))
}
