//! A long line: what goes in at one end comes out at the other half a round trip later, and no faster than the line is.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

/// How much waits at the entrance of a line that is busy, in the time that it takes to carry.
const QUEUE: Duration = Duration::from_millis(250);

/// A TCP port in front of another, a round trip away. It takes calls until the process ends.
#[derive(Debug)]
pub struct LongLine {
    port: u16,
}

/// One direction of a line.
#[derive(Debug, Clone, Copy)]
struct Direction {
    delay: Duration,
    /// `None`: any number at once.
    bytes_per_second: Option<u32>,
}

impl LongLine {
    /// A port of its own that passes calls on to the port `target`.
    pub fn to(target: u16, round_trip: Duration) -> Self {
        Self::new(target, round_trip, None)
    }

    /// The same, that carries so many bytes a second each way.
    pub fn at_rate(target: u16, round_trip: Duration, bytes_per_second: u32) -> Self {
        Self::new(target, round_trip, Some(bytes_per_second))
    }

    fn new(target: u16, round_trip: Duration, bytes_per_second: Option<u32>) -> Self {
        let direction = Direction {
            delay: round_trip / 2,
            bytes_per_second,
        };
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a port");
        let port = listener.local_addr().expect("its number").port();
        thread::spawn(move || {
            while let Ok((caller, _)) = listener.accept() {
                let answerer = TcpStream::connect(("127.0.0.1", target)).expect("the answerer");
                let twin = |stream: &TcpStream| stream.try_clone().expect("a second descriptor");
                carry(twin(&answerer), twin(&caller), direction);
                carry(caller, answerer, direction);
            }
        });
        Self { port }
    }

    /// The port to call.
    pub fn port(&self) -> u16 {
        self.port
    }
}

/// Carries one direction: any number of bytes can be under way, each for the line's delay.
fn carry(mut from: TcpStream, mut to: TcpStream, direction: Direction) {
    // The line holds nothing back: what waits for an answer waits for the delay alone.
    to.set_nodelay(true).expect("no delay of the kernel's own");
    let (entrance, exit) = mpsc::channel::<(Instant, Vec<u8>)>();
    thread::spawn(move || {
        let mut buffer = vec![0; 16 * 1024];
        let mut free = Instant::now();
        while let Ok(count @ 1..) = from.read(&mut buffer) {
            free = free.max(Instant::now());
            if let Some(rate) = direction.bytes_per_second {
                free += Duration::from_secs(count as u64) / rate;
            }
            let piece = (free + direction.delay, buffer[..count].to_vec());
            if entrance.send(piece).is_err() {
                break;
            }
            let queued = free.saturating_duration_since(Instant::now());
            thread::sleep(queued.saturating_sub(QUEUE));
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

    #[test]
    fn a_line_carries_no_more_than_its_rate() {
        let far = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let port = far.local_addr().unwrap().port();
        let line = LongLine::at_rate(port, Duration::ZERO, 1_000_000);
        let start = Instant::now();
        let mut stream = TcpStream::connect(("127.0.0.1", line.port())).unwrap();
        let sent = vec![7; 50_000];
        stream.write_all(&sent).unwrap();
        stream.shutdown(Shutdown::Write).unwrap();
        let mut all = Vec::new();
        far.accept().unwrap().0.read_to_end(&mut all).unwrap();
        assert_eq!(all, sent);
        assert!(start.elapsed() >= Duration::from_millis(50));
    }
}
