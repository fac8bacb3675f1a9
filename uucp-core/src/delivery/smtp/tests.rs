//! Scripted servers, and what becomes of messages that are offered to them.

mod answers;
mod lmtp;
mod parameters;
mod programs;
mod sessions;

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::sync::mpsc::{Receiver, channel};

use super::*;
use crate::config::mail::HostPort;

/// One step of a server's script.
#[derive(Debug, Clone)]
enum Step {
    /// Says this at once.
    Say(&'static str),
    /// Reads a line that begins so, then says this.
    Hear(&'static str, &'static str),
    /// Reads content to the lone dot, then says this.
    Content(&'static str),
    /// Closes the connection.
    HangUp,
    /// Reads until the client goes away.
    Silence,
}
use Step::{Content, HangUp, Hear, Say, Silence};

const PLAIN: [Step; 2] = [Say("220 hub ESMTP\r\n"), Hear("EHLO leaf", "250 hub\r\n")];
const PIPELINED: [Step; 2] = [
    Say("220 hub ESMTP\r\n"),
    Hear(
        "EHLO leaf",
        "250-hub\r\n250-PIPELINING\r\n250-SIZE 1000000\r\n250-8BITMIME\r\n250 SMTPUTF8\r\n",
    ),
];

/// Serves one connection per script; what was heard comes through the channel.
fn serve(scripts: Vec<Vec<Step>>) -> (ServerAddress, Receiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let (sender, heard) = channel();
    std::thread::spawn(move || {
        for script in scripts {
            let (stream, _) = listener.accept().unwrap();
            play(&stream, script, &sender);
        }
    });
    let host = "127.0.0.1".to_owned();
    (ServerAddress::Tcp(HostPort { host, port }), heard)
}

fn play<'s, S>(stream: &'s S, script: Vec<Step>, sender: &std::sync::mpsc::Sender<String>)
where
    &'s S: Read + Write,
{
    let mut reader = BufReader::new(stream);
    let mut writer = stream;
    let mut line = || {
        let mut line = Vec::new();
        reader.read_until(b'\n', &mut line).unwrap_or(0);
        line.escape_ascii().to_string()
    };
    for step in script {
        match step {
            Say(text) => writer.write_all(text.as_bytes()).unwrap_or(()),
            Hear(start, answer) => {
                let heard = line();
                let wrong = !heard.starts_with(start);
                let _ = sender.send(heard);
                if wrong {
                    return;
                }
                let _ = writer.write_all(answer.as_bytes());
            }
            Content(answer) => {
                let mut content = String::new();
                while !content.ends_with("\\r\\n.\\r\\n") && content != ".\\r\\n" {
                    let next = line();
                    if next.is_empty() {
                        break;
                    }
                    content.push_str(&next);
                }
                let _ = sender.send(content);
                let _ = writer.write_all(answer.as_bytes());
            }
            HangUp => return,
            Silence => while !line().is_empty() {},
        }
    }
}

fn script(hello: &[Step], steps: &[Step]) -> Vec<Step> {
    [hello, steps].concat()
}

fn client(target: ServerAddress) -> Smtp {
    Smtp::new(settings(Peer::Server(target)))
}

fn settings(peer: Peer) -> Client {
    Client {
        peer,
        is_lmtp: false,
        hello: "leaf".to_owned(),
        limit: Duration::from_mins(2),
        session_messages: None,
        scratch: std::env::temp_dir(),
    }
}

fn offer(smtp: &mut Smtp, recipients: &[&str], content: &[u8]) -> Vec<String> {
    offer_as_wished(smtp, recipients, content, &Wishes::default())
}

fn offer_as_wished(
    smtp: &mut Smtp,
    recipients: &[&str],
    content: &[u8],
    wishes: &Wishes,
) -> Vec<String> {
    let message = Message::from_bytes(content.to_vec());
    let recipients: Vec<Recipient<'_>> = recipients
        .iter()
        .enumerate()
        .map(|(index, recipient)| Recipient {
            address: recipient.as_bytes().to_vec(),
            wishes: wishes.of(index),
        })
        .collect();
    let transaction = Transaction {
        sender: b"bob@far.example",
        recipients: &recipients,
        wishes,
        message: &message,
    };
    let told = |outcome| match outcome {
        None => "again".to_owned(),
        Some(Outcome::Delivered) => "delivered".to_owned(),
        Some(Outcome::Refused(reply)) => format!("refused {} {}", reply.status, reply.text),
        Some(Outcome::Deferred(reply)) => format!("deferred {} {}", reply.status, reply.text),
    };
    match smtp.transact(&transaction, &mut AtEase) {
        Transacted::Outcomes { outcomes, .. } => outcomes.into_iter().map(told).collect(),
        Transacted::NoSession(reply) => {
            vec![told(Some(Outcome::Deferred(reply))); recipients.len()]
        }
    }
}

fn one(hello: &[Step], steps: &[Step]) -> String {
    let (target, _heard) = serve(vec![script(hello, steps)]);
    offer(&mut client(target), &["a@x"], b"Subject: s\n\nbody\n").remove(0)
}

/// A transaction with these commands that is taken.
fn taken(mail: &'static str, rcpt: &'static str) -> Vec<Step> {
    vec![
        Hear(mail, "250 ok\r\n"),
        Hear(rcpt, "250 ok\r\n"),
        Hear("DATA", "354 go\r\n"),
        Content("250 ok\r\n"),
    ]
}
