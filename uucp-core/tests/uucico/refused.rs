//! A caller that asks for what it does not get, again and again: what the log says of it.

use std::io::{Read, Write};
use std::net::TcpStream;

use crate::lab::{Lab, accept};

/// A caller that speaks `t` by hand.
struct Caller(TcpStream);

impl Caller {
    fn say(&mut self, words: &[u8]) {
        self.0.write_all(words).unwrap();
    }

    /// Reads until these words have come.
    fn hear(&mut self, words: &[u8]) {
        let mut heard = Vec::new();
        while !heard.ends_with(words) {
            let mut byte = [0];
            self.0.read_exact(&mut byte).unwrap();
            heard.extend(byte);
        }
    }

    fn log_in(&mut self) {
        self.hear(b"ogin: ");
        self.say(b"Ualpha\r");
        self.hear(b"word:");
        self.say(b"secret-of-alpha\r");
        self.hear(b"\x10Shere=beta\0");
        self.say(b"\x10Salpha -R -N047\0");
        self.hear(b"\x10P");
        self.hear(b"\0");
        self.say(b"\x10Ut\0");
    }

    /// Sends a command and gives back the answer.
    fn ask(&mut self, command: &[u8]) -> Vec<u8> {
        let mut blocks = command.to_vec();
        blocks.resize((command.len() / 512 + 1) * 512, 0);
        self.say(&blocks);
        let mut answer = vec![0; 512];
        self.0.read_exact(&mut answer).unwrap();
        answer.retain(|byte| *byte != 0);
        answer
    }
}

#[test]
fn what_is_refused_again_and_again_is_not_told_for_ever() {
    let lab = Lab::new("");
    let socket = TcpStream::connect(lab.listener.local_addr().unwrap()).unwrap();
    let mut answering = lab.beta.answer_on(accept(&lab.listener), &["-l"]);
    let mut caller = Caller(socket);
    caller.log_in();
    let many = "x".repeat(4000);
    for number in 0..150 {
        // A pattern that stands for nothing is no error.
        let (request, expected) = match number % 3 {
            0 => (format!("R /etc/{many} ~/x {many} -"), "RN2"),
            1 => (format!("X /etc/{many}* alpha!~/ {many} -"), "XY"),
            _ => (format!("S {many} /etc/{many} u - D.0 0644"), "SN2"),
        };
        let answer = caller.ask(request.as_bytes());
        assert_eq!(answer.escape_ascii().to_string(), expected);
    }
    assert_eq!(caller.ask(b"H"), b"HY");
    drop(caller);
    answering.wait().unwrap();
    let log = lab.beta.log();
    let refused = log.lines().filter(|line| line.contains("xxx")).count();
    assert_eq!(refused, 100);
    assert!(
        log.contains("50 more refused requests are not told"),
        "{log}"
    );
    assert!(log.lines().all(|line| line.len() < 1200));
}
