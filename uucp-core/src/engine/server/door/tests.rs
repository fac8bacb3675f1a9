//! Who is let in when others do not say who they are.

use std::net::{Ipv4Addr, TcpListener};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use super::*;
use crate::engine::server::ChildCommand;

/// A door, and calls to it from this machine.
struct Porch {
    door: Door,
    listener: TcpListener,
    answerer: Rc<Answerer>,
    callers: Vec<TcpStream>,
    told: Vec<String>,
}

impl Porch {
    /// Whoever has said a line gets a process that says nothing, until the caller hangs up.
    fn new() -> Self {
        let command = ChildCommand {
            program: "/bin/sh".into(),
            arguments: vec!["-c".into(), "cat >/dev/null".into()],
        };
        Self {
            door: Door::open().unwrap(),
            listener: TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap(),
            answerer: Rc::new(Answerer {
                command,
                greeting: b"login: ".to_vec(),
            }),
            callers: Vec::new(),
            told: Vec::new(),
        }
    }

    fn call(&mut self, now: Instant) {
        let mut caller = TcpStream::connect(self.listener.local_addr().unwrap()).unwrap();
        let (stream, from) = self.listener.accept().unwrap();
        let told = &mut self.told;
        let mut log = |text: &str| told.push(text.to_owned());
        self.door
            .arrive(now, &self.answerer, stream, from.ip(), &mut log);
        caller.write_all(b"x\r").unwrap();
        self.callers.push(caller);
        // Its line is there.
        let mut watched = [PollFd::new(self.door.as_fd(), PollFlags::POLLIN)];
        poll(&mut watched, PollTimeout::NONE).unwrap();
        self.look(now);
    }

    fn look(&mut self, now: Instant) {
        let told = &mut self.told;
        self.door
            .look(now, &mut |text: &str| told.push(text.to_owned()));
    }

    /// How many have a process, and how many wait for one.
    fn counts(&self) -> (usize, usize) {
        (self.door.calls.len(), self.door.waiting.len())
    }
}

impl Drop for Porch {
    fn drop(&mut self) {
        self.callers.clear();
        let calls = std::mem::take(&mut self.door.calls);
        let calls = calls.into_values().map(|call| call.child);
        for mut child in calls.chain(self.door.dying.drain(..)) {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

#[test]
fn those_that_do_not_log_in_lock_nobody_out_behind_the_same_address() {
    let mut porch = Porch::new();
    let start = Instant::now();
    for _ in 0..LOGINS_PER_ORIGIN {
        porch.call(start);
    }
    assert_eq!(porch.counts(), (LOGINS_PER_ORIGIN, 0));
    let oldest = *porch.door.calls.keys().next().unwrap();
    porch.call(start + GRACE / 2);
    // They have some time, and somebody looks when it is over.
    assert_eq!(porch.counts(), (LOGINS_PER_ORIGIN, 1));
    assert_eq!(porch.door.deadline(), Some(start + GRACE));
    assert!(porch.told.is_empty(), "{:?}", porch.told);
    porch.look(start + GRACE);
    assert_eq!(porch.counts(), (LOGINS_PER_ORIGIN, 0));
    assert!(!porch.door.calls.contains_key(&oldest));
    let told = porch.told.pop().unwrap();
    assert!(
        told.contains("127.0.0.1 dropped: not logged in after 5 seconds"),
        "{told}"
    );
}
