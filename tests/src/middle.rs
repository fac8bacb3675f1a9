//! A line with somebody in the middle: it counts what passes, can end in the middle of a file, and can make two systems
//! believe of each other that they are older than they are.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::thread::JoinHandle;

use crate::Site;
use crate::node::{Node, Reach};
use crate::programs::Side;

/// What is done to one call.
#[derive(Debug, Clone, Copy)]
pub enum Tampering {
    /// Nothing.
    None,
    /// The line goes when so many bytes of the caller have passed.
    CutAfter(u64),
    /// In the handshake each side is told that the other knows no `E` command.
    WithoutExecute,
}

/// What happens to a call when so many bytes of one side have passed: then the line ends, and what was on its way is lost.
pub struct Fate {
    /// So many.
    pub after: u64,
    /// Whether the caller's bytes are counted, or the answerer's.
    pub of_caller: bool,
    /// What is done then, before the line ends.
    pub then: Box<dyn FnOnce() + Send>,
}

/// A TCP port in front of another.
#[derive(Debug)]
pub struct Middle {
    listener: TcpListener,
}

/// One call that passes; tells how many bytes the caller has sent.
#[derive(Debug)]
pub struct Passage(JoinHandle<u64>);

/// One call that passes; tells how many bytes each side has sent, the caller first.
#[derive(Debug)]
pub struct Measured(JoinHandle<(u64, u64)>);

/// Two systems and the line between them: `leaf`, the caller, and `hub`, who has yet to listen behind it. They speak one protocol.
pub fn two_systems(
    site: &Site,
    (caller, answerer): (Side, Side),
    protocol: &str,
) -> (Node, Node, Middle) {
    let leaf = Node::new(site, "leaf", caller);
    let hub = Node::new(site, "hub", answerer);
    let line = Middle::new();
    // Packets of Taylor's default size stand still for every window where Nagle meets delayed acknowledgements.
    let extra = match protocol {
        "g" | "G" if [caller, answerer].contains(&Side::Taylor) => {
            format!("protocol-parameter {protocol} packet-size 512\n")
        }
        _ => String::new(),
    };
    leaf.add_neighbour("hub", protocol, &Reach::Tcp(line.port()), &extra);
    hub.add_neighbour("leaf", protocol, &Reach::Never, &extra);
    (leaf, hub, line)
}

impl Middle {
    /// A port of its own.
    #[allow(clippy::new_without_default, reason = "it takes a port")]
    pub fn new() -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a port");
        Self { listener }
    }

    /// The port to call.
    pub fn port(&self) -> u16 {
        self.listener.local_addr().expect("its number").port()
    }

    /// Passes the next call on to the port `target`.
    pub fn pass(&self, target: u16, tampering: Tampering) -> Passage {
        let listener = self.listener.try_clone().expect("a second descriptor");
        Passage(std::thread::spawn(move || {
            let (caller, _) = listener.accept().expect("the call");
            let answerer = TcpStream::connect(("127.0.0.1", target)).expect("the answerer");
            let back = (
                answerer.try_clone().expect("a second descriptor"),
                caller.try_clone().expect("a second descriptor"),
            );
            let answers = std::thread::spawn(move || copy(back.0, back.1, tampering, false));
            let sent = copy(caller, answerer, tampering, true);
            answers.join().expect("the other direction");
            sent
        }))
    }
}

impl Middle {
    /// Passes the next call on to the port `target` until its fate comes.
    pub fn measure(&self, target: u16, fate: Option<Fate>) -> Measured {
        let listener = self.listener.try_clone().expect("a second descriptor");
        Measured(std::thread::spawn(move || {
            let (caller, _) = listener.accept().expect("the call");
            let answerer = TcpStream::connect(("127.0.0.1", target)).expect("the answerer");
            let of_caller = fate.as_ref().is_some_and(|fate| fate.of_caller);
            let (out, back) = if of_caller {
                (fate, None)
            } else {
                (None, fate)
            };
            std::thread::scope(|scope| {
                let answers = scope.spawn(|| count(&answerer, &caller, back));
                let sent = count(&caller, &answerer, out);
                (sent, answers.join().expect("the other direction"))
            })
        }))
    }
}

impl Measured {
    /// Waits for the end of the call.
    pub fn finish(self) -> (u64, u64) {
        self.0.join().expect("the line")
    }
}

fn count(mut from: &TcpStream, mut to: &TcpStream, mut fate: Option<Fate>) -> u64 {
    let mut buffer = [0; 8192];
    let mut passed = 0;
    while let Ok(count @ 1..) = from.read(&mut buffer) {
        passed += count as u64;
        if to.write_all(&buffer[..count]).is_err() {
            break;
        }
        if let Some(fate) = fate.take_if(|fate| passed >= fate.after) {
            (fate.then)();
            let _ = from.shutdown(Shutdown::Both);
            let _ = to.shutdown(Shutdown::Both);
        }
    }
    let _ = to.shutdown(Shutdown::Write);
    passed
}

impl Passage {
    /// Waits for the end of the call.
    pub fn finish(self) -> u64 {
        self.0.join().expect("the line")
    }
}

fn copy(mut from: TcpStream, mut to: TcpStream, tampering: Tampering, by_caller: bool) -> u64 {
    let mut buffer = [0; 8192];
    let mut passed = 0;
    // A side that has hung up ends the copying; what the programs make of it is for them to say.
    while let Ok(count @ 1..) = from.read(&mut buffer) {
        let bytes = &mut buffer[..count];
        if matches!(tampering, Tampering::WithoutExecute) && passed < 1000 {
            forget_execute(bytes);
        }
        if to.write_all(bytes).is_err() {
            break;
        }
        passed += count as u64;
        if let Tampering::CutAfter(limit) = tampering
            && by_caller
            && passed >= limit
        {
            let _ = from.shutdown(Shutdown::Both);
            let _ = to.shutdown(Shutdown::Both);
            break;
        }
    }
    let _ = to.shutdown(Shutdown::Write);
    passed
}

/// Takes the bit 04 out of the features of `Salpha -R -N047` and `ROKN047`, whatever else they hold.
fn forget_execute(bytes: &mut [u8]) {
    let starts: Vec<usize> = (0..bytes.len())
        .filter(|at| bytes[*at..].starts_with(b"N0"))
        .collect();
    for start in starts {
        let digits = bytes[start + 1..]
            .iter()
            .take_while(|b| matches!(b, b'0'..=b'7'));
        let last = start + digits.count();
        if bytes.get(last + 1) == Some(&0) {
            bytes[last] &= !4;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_features_change() {
        for (before, after) in [
            (&b"\x10Sleaf -R -N047\0"[..], &b"\x10Sleaf -R -N043\0"[..]),
            (b"\x10ROKN07147\0\x10Pt\0", b"\x10ROKN07143\0\x10Pt\0"),
            (b"E D.0N07 D.N04 uucp\0", b"E D.0N07 D.N04 uucp\0"),
        ] {
            let mut bytes = before.to_vec();
            forget_execute(&mut bytes);
            assert_eq!(
                bytes.escape_ascii().to_string(),
                after.escape_ascii().to_string()
            );
        }
    }
}
