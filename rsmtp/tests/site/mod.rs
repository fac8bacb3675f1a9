//! A site with a configuration of its own, and an SMTP server in this process.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

/// What a run of rsmtp left.
pub(crate) struct Run {
    pub(crate) status: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

pub(crate) struct Site {
    folder: tempfile::TempDir,
}

impl Site {
    pub(crate) fn with_mail_toml(text: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let site = Self { folder };
        let root = site.folder.path().display();
        let config = format!(
            "nodename leaf\nspool {root}/spool\npubdir {root}/public\nlockdir {root}/locks\nlogfile {root}/Log\nstatfile {root}/Stats\ndebugfile {root}/Debug\n"
        );
        fs::create_dir(site.path("spool")).unwrap();
        fs::create_dir(site.path("locks")).unwrap();
        fs::write(site.path("config"), config).unwrap();
        fs::write(site.path("mail.toml"), text).unwrap();
        site
    }

    pub(crate) fn with_smtp(server: &Server) -> Self {
        let target = server.address();
        Self::with_mail_toml(&format!(
            "domain = \"leaf.lab\"\n[delivery]\nsmtp = \"{target}\"\n"
        ))
    }

    pub(crate) fn with_sendmail(code: i32, says: &str) -> Self {
        let site = Self::with_mail_toml("");
        let command = site.path("sendmail");
        let calls = site.path("calls");
        fs::create_dir(&calls).unwrap();
        let script = format!(
            "#!/bin/sh\n{{ printf '<%s>' \"$@\"; echo; }} >>{}/log\ncat >/dev/null\nprintf '%s' '{says}' >&2\nexit {code}\n",
            calls.display()
        );
        fs::write(&command, script).unwrap();
        fs::set_permissions(&command, fs::Permissions::from_mode(0o755)).unwrap();
        fs::write(
            site.path("mail.toml"),
            format!("[delivery]\nsendmail = \"{}\"\n", command.display()),
        )
        .unwrap();
        site
    }

    pub(crate) fn append_mail_toml(&self, text: &str) {
        let file = self.path("mail.toml");
        let before = fs::read_to_string(&file).unwrap();
        fs::write(file, before + text).unwrap();
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The contents of all files of a folder.
    pub(crate) fn files(&self, folder: &str) -> Vec<String> {
        let Ok(entries) = fs::read_dir(self.path(folder)) else {
            return Vec::new();
        };
        entries
            .map(|entry| {
                String::from_utf8_lossy(&fs::read(entry.unwrap().path()).unwrap()).into_owned()
            })
            .collect()
    }

    /// As uuxqt runs it for a job of hub.
    pub(crate) fn rsmtp(&self, input: &[u8]) -> Run {
        self.rsmtp_as(&UUXQT, &[], input)
    }

    /// As a person runs it.
    pub(crate) fn by_hand(&self, arguments: &[&str], input: &[u8]) -> Run {
        self.rsmtp_as(&[], arguments, input)
    }

    pub(crate) fn rsmtp_as(
        &self,
        environment: &[(&str, &str)],
        arguments: &[&str],
        input: &[u8],
    ) -> Run {
        self.run(env!("CARGO_BIN_EXE_rsmtp"), environment, arguments, input)
    }

    /// Under another name.
    pub(crate) fn under_name(
        &self,
        name: &str,
        environment: &[(&str, &str)],
        arguments: &[&str],
        input: &[u8],
    ) -> Run {
        let link = self.path(name);
        if !link.exists() {
            std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_rsmtp"), &link).unwrap();
        }
        self.run(link.to_str().unwrap(), environment, arguments, input)
    }

    fn run(
        &self,
        program: &str,
        environment: &[(&str, &str)],
        arguments: &[&str],
        input: &[u8],
    ) -> Run {
        let output = self
            .command(program, environment, arguments, input)
            .output()
            .unwrap();
        Run {
            status: output.status.code().unwrap_or(-1),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    /// As uuxqt starts it for this job.
    pub(crate) fn start(&self, job: &str, input: &[u8]) -> Child {
        let environment = [("UU_MACHINE", "hub"), ("UU_JOB", job)];
        let program = env!("CARGO_BIN_EXE_rsmtp");
        self.command(program, &environment, &[], input)
            .stderr(Stdio::null())
            .spawn()
            .unwrap()
    }

    fn command(
        &self,
        program: &str,
        environment: &[(&str, &str)],
        arguments: &[&str],
        input: &[u8],
    ) -> Command {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let file = self.path(&format!("input.{}", COUNT.fetch_add(1, Ordering::Relaxed)));
        fs::write(&file, input).unwrap();
        let stdin = fs::File::open(&file).unwrap();
        fs::remove_file(file).unwrap();
        let mut command = Command::new(program);
        command
            .args(arguments)
            .env_clear()
            .env("BANGPATH_CONFIG", self.path("config"))
            .envs(environment.iter().copied())
            .stdin(Stdio::from(stdin));
        command
    }

    /// How many messages are kept for this neighbour.
    pub(crate) fn kept(&self, neighbour: &str) -> usize {
        let folder = self.path("spool/.Mail/kept").join(neighbour);
        fs::read_dir(folder).map_or(0, |entries| {
            let names = entries.map(|entry| entry.unwrap().file_name());
            names.filter(|name| name.len() == 64).count()
        })
    }
}

/// What uuxqt says in the environment.
pub(crate) const UUXQT: [(&str, &str); 3] = [
    ("UU_MACHINE", "hub"),
    ("UU_USER", "uucp"),
    ("UU_JOB", "X.hubN0001"),
];

/// A message that the server took.
#[derive(Clone, Default)]
pub(crate) struct Taken {
    pub(crate) sender: String,
    pub(crate) recipients: Vec<String>,
    pub(crate) content: String,
    pub(crate) bytes: Vec<u8>,
}

type Answer = Box<dyn Fn(&str) -> Option<String> + Send>;

/// Takes mail; what it answers to a command can be set.
pub(crate) struct Server {
    port: u16,
    answer: Arc<Mutex<Answer>>,
    taken: Arc<Mutex<Vec<Taken>>>,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Server {
    pub(crate) fn accepting() -> Self {
        Self::start(|_| None)
    }

    pub(crate) fn start(answer: impl Fn(&str) -> Option<String> + Send + 'static) -> Self {
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

    pub(crate) fn answer(&self, answer: impl Fn(&str) -> Option<String> + Send + 'static) {
        *self.answer.lock().unwrap() = Box::new(answer);
    }

    pub(crate) fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    pub(crate) fn messages(&self) -> Vec<Taken> {
        self.taken.lock().unwrap().clone()
    }

    pub(crate) fn recipients_asked(&self) -> Vec<String> {
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
                // Kept before the answer: whoever has seen rsmtp end sees the message.
                taken.lock().unwrap().push(std::mem::take(&mut mail));
            }
            let _ = say(verdict.as_deref().unwrap_or("250 queued"));
        } else {
            let _ = say("250 ok");
        }
    }
}
