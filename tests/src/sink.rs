//! An SMTP server in this process, for programs that hand mail over.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

/// A message that the server took.
#[derive(Debug, Clone, Default)]
pub struct Taken {
    /// The reverse path.
    pub sender: String,
    /// The forward paths that were accepted.
    pub recipients: Vec<String>,
    /// What came between DATA and the dot, dots still stuffed.
    pub content: String,
    /// The same, as it came.
    pub bytes: Vec<u8>,
}

type Answer = Box<dyn Fn(&str) -> Option<String> + Send>;

/// Takes mail. What it answers to a command can be set; what begins with 421 ends the session.
pub struct Server {
    port: u16,
    answer: Arc<Mutex<Answer>>,
    taken: Arc<Mutex<Vec<Taken>>>,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Server {
    /// One that takes everything.
    pub fn accepting() -> Self {
        Self::start(|_| None)
    }

    /// One that answers this to every command line with `part` in it.
    pub fn answering(part: &'static str, reply: &'static str) -> Self {
        Self::start(move |line| line.contains(part).then(|| reply.to_owned()))
    }

    /// One that answers a command line, or `DOT` after the content, so; `None` is what a server says that is content.
    pub fn start(answer: impl Fn(&str) -> Option<String> + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let server = Self {
            port,
            answer: Arc::new(Mutex::new(Box::new(answer))),
            taken: Arc::default(),
            asked: Arc::default(),
        };
        let (answer, taken, asked) = (
            server.answer.clone(),
            server.taken.clone(),
            server.asked.clone(),
        );
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (answer, taken, asked) = (answer.clone(), taken.clone(), asked.clone());
                std::thread::spawn(move || serve(&stream, &answer, &taken, &asked));
            }
        });
        server
    }

    /// Sets the answers from now on.
    pub fn answer(&self, answer: impl Fn(&str) -> Option<String> + Send + 'static) {
        *self.answer.lock().unwrap() = Box::new(answer);
    }

    /// Host and port.
    pub fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// How often each message came to each recipient; what stands before the first dot of its subject tells one from another.
    pub fn counts(&self) -> BTreeMap<(String, String), usize> {
        let mut counts = BTreeMap::new();
        for message in self.messages() {
            let (_, rest) = message.content.split_once("Subject: ").unwrap();
            let number = rest.split('.').next().unwrap().to_owned();
            for recipient in message.recipients {
                *counts.entry((number.clone(), recipient)).or_default() += 1;
            }
        }
        counts
    }

    /// What it took, in order.
    pub fn messages(&self) -> Vec<Taken> {
        self.taken.lock().unwrap().clone()
    }

    /// Every forward path that it was asked about, in order.
    pub fn recipients_asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }
}

fn path_of(line: &str) -> String {
    let start = line.find('<').map_or(0, |at| at + 1);
    let end = line.rfind('>').unwrap_or(line.len());
    line[start..end].to_owned()
}

fn serve(
    stream: &TcpStream,
    answer: &Mutex<Answer>,
    taken: &Mutex<Vec<Taken>>,
    asked: &Mutex<Vec<String>>,
) {
    let mut reader = BufReader::new(stream);
    let mut writer = stream;
    let mut say = |text: &str| writer.write_all(format!("{text}\r\n").as_bytes());
    let _ = say("220 test");
    let mut mail = Taken::default();
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).unwrap_or(0) == 0 || line.starts_with("QUIT") {
            return;
        }
        let own = answer.lock().unwrap()(&line);
        if let Some(text) = own.as_deref().filter(|text| text.starts_with("421")) {
            let _ = say(text);
            return;
        }
        let refused = own.as_ref().is_some_and(|text| !text.starts_with('2'));
        if line.starts_with("EHLO") {
            let _ = say("250-test\r\n250-PIPELINING\r\n250-8BITMIME\r\n250-SIZE 0\r\n250 SMTPUTF8");
        } else if line.starts_with("MAIL") {
            mail = Taken {
                sender: path_of(&line),
                ..Taken::default()
            };
            let _ = say(own.as_deref().unwrap_or("250 ok"));
        } else if line.starts_with("RCPT") {
            asked.lock().unwrap().push(path_of(&line));
            if !refused {
                mail.recipients.push(path_of(&line));
            }
            let _ = say(own.as_deref().unwrap_or("250 ok"));
        } else if line.starts_with("DATA") && mail.recipients.is_empty() {
            let _ = say("554 no valid recipients");
        } else if line.starts_with("DATA") {
            let _ = say("354 go");
            let mut content = Vec::new();
            while !content.ends_with(b"\r\n.\r\n") {
                if reader.read_until(b'\n', &mut content).unwrap_or(0) == 0 {
                    return;
                }
            }
            content.truncate(content.len() - 3);
            mail.content = String::from_utf8_lossy(&content).into_owned();
            mail.bytes = content;
            let verdict = answer.lock().unwrap()("DOT");
            if verdict.is_none() {
                // Kept before the answer: whoever has seen the client end sees the message.
                taken.lock().unwrap().push(std::mem::take(&mut mail));
            }
            let _ = say(verdict.as_deref().unwrap_or("250 queued"));
        } else {
            let _ = say("250 ok");
        }
    }
}
