//! A long line: what goes in at one end comes out at the other half a round trip later.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

/// A TCP port in front of another, a round trip away. It takes calls until the process ends.
#[derive(Debug)]
pub struct LongLine {
    port: u16,
}

impl LongLine {
    /// A port of its own that passes calls on to the port `target`.
    pub fn to(target: u16, round_trip: Duration) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a port");
        let port = listener.local_addr().expect("its number").port();
        thread::spawn(move || {
            while let Ok((caller, _)) = listener.accept() {
                let answerer = TcpStream::connect(("127.0.0.1", target)).expect("the answerer");
                let twin = |stream: &TcpStream| stream.try_clone().expect("a second descriptor");
                carry(twin(&answerer), twin(&caller), round_trip / 2);
                carry(caller, answerer, round_trip / 2);
            }
        });
        Self { port }
    }

    /// The port to call.
    pub fn port(&self) -> u16 {
        self.port
    }
}

/// Carries one direction: any number of bytes can be under way, each for `delay`.
fn carry(mut from: TcpStream, mut to: TcpStream, delay: Duration) {
    // The line holds nothing back: what waits for an answer waits for the delay alone.
    to.set_nodelay(true).expect("no delay of the kernel's own");
    let (entrance, exit) = mpsc::channel::<(Instant, Vec<u8>)>();
    thread::spawn(move || {
        let mut buffer = vec![0; 64 * 1024];
        while let Ok(count @ 1..) = from.read(&mut buffer) {
            let piece = (Instant::now() + delay, buffer[..count].to_vec());
            if entrance.send(piece).is_err() {
                break;
            }
        }
    });
    thread::spawn(move || {
        for (due, bytes) in exit {
            thread::sleep(due.saturating_duration_since(Instant::now()));
            if to.write_all(&bytes).is_err() {
                break;
            }
        }
        let _ = to.shutdown(Shutdown::Write);
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_takes_a_round_trip_and_nothing_is_lost() {
        let far = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let port = far.local_addr().unwrap().port();
        thread::spawn(move || {
            let (mut stream, _) = far.accept().unwrap();
            let mut all = Vec::new();
            stream.read_to_end(&mut all).unwrap();
            stream.write_all(&all).unwrap();
        });
        let round_trip = Duration::from_millis(20);
        let line = LongLine::to(port, round_trip);
        let start = Instant::now();
        let mut stream = TcpStream::connect(("127.0.0.1", line.port())).unwrap();
        let sent = vec![7; 300_000];
        stream.write_all(&sent).unwrap();
        stream.shutdown(Shutdown::Write).unwrap();
        let mut back = Vec::new();
        stream.read_to_end(&mut back).unwrap();
        assert_eq!(back, sent);
        assert!(start.elapsed() >= round_trip);
    }
}
