//! A server that takes all mail and keeps none: what is measured in front of it is the client alone.

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

/// An SMTP server on a port of its own; it runs until the process ends.
#[derive(Debug)]
pub struct Blackhole {
    port: u16,
    taken: Arc<AtomicUsize>,
}

impl Blackhole {
    /// Starts it.
    #[allow(clippy::new_without_default, reason = "it takes a port")]
    pub fn new() -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a port");
        let port = listener.local_addr().expect("its number").port();
        let taken = Arc::new(AtomicUsize::new(0));
        let count = taken.clone();
        thread::spawn(move || {
            while let Ok((stream, _)) = listener.accept() {
                let count = count.clone();
                thread::spawn(move || serve(stream, &count));
            }
        });
        Self { port, taken }
    }

    /// Where it listens.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// How many messages it has taken.
    pub fn taken(&self) -> usize {
        self.taken.load(Ordering::Relaxed)
    }
}

fn serve(stream: TcpStream, taken: &AtomicUsize) {
    let mut out = stream.try_clone().expect("a second descriptor");
    out.set_nodelay(true).expect("no delay");
    let mut reader = BufReader::with_capacity(64 * 1024, stream);
    let mut line = Vec::new();
    let mut say = |text: &str| out.write_all(text.as_bytes()).is_ok();
    if !say("220 blackhole ESMTP\r\n") {
        return;
    }
    while read_line(&mut reader, &mut line) {
        let word = line.get(..4).unwrap_or_default().to_ascii_uppercase();
        let is_up = match &word[..] {
            b"EHLO" => say("250-blackhole\r\n250-PIPELINING\r\n250 8BITMIME\r\n"),
            b"DATA" => {
                if !say("354 go on\r\n") {
                    return;
                }
                while read_line(&mut reader, &mut line) && line != b".\r\n" {}
                taken.fetch_add(1, Ordering::Relaxed);
                say("250 taken\r\n")
            }
            b"QUIT" => {
                let _ = say("221 bye\r\n");
                return;
            }
            _ => say("250 yes\r\n"),
        };
        if !is_up {
            return;
        }
    }
}

fn read_line(reader: &mut BufReader<TcpStream>, line: &mut Vec<u8>) -> bool {
    line.clear();
    matches!(reader.read_until(b'\n', line), Ok(1..))
}
