//! A configured system called hub with a neighbour called leaf, and ways to look into its spool.

use std::fs;
use std::ops::Deref;
use std::process::{Command, Stdio};

use suite_tests::alone::{self, Home, Outcome};

pub(crate) const PROGRAM: &str = env!("CARGO_BIN_EXE_postfix-uucp");

pub(crate) const MESSAGE: &[u8] =
    b"Received: by hub.lab (Postfix, from userid 0)\n\tid B20A09AA294; Fri, 20 Nov 2026\nSubject: x\n\nhello\n";

/// A job in the spool.
#[derive(Debug, Clone)]
pub(crate) struct Job {
    pub(crate) line: String,
    pub(crate) data: Vec<u8>,
}

impl Job {
    /// The recipients in the command line.
    pub(crate) fn recipients(&self) -> Vec<String> {
        let command = self.line.split(" 0 rmail ").nth(1).unwrap_or_default();
        command.split(' ').map(str::to_owned).collect()
    }

    /// The data without the `From ` line.
    pub(crate) fn message(&self) -> &[u8] {
        let end = self.data.iter().position(|b| *b == b'\n').unwrap() + 1;
        &self.data[end..]
    }

    /// The `From ` line.
    pub(crate) fn first_line(&self) -> String {
        let line = self.data.split(|b| *b == b'\n').next().unwrap_or_default();
        String::from_utf8_lossy(line).into_owned()
    }
}

pub(crate) struct Site(Home);

impl Deref for Site {
    type Target = Home;

    fn deref(&self) -> &Home {
        &self.0
    }
}

impl Site {
    pub(crate) fn new() -> Self {
        Self(Home::new("hub", "time any\nsystem leaf\nalias l2\n"))
    }

    /// The arguments of the recommended line of master.cf.
    pub(crate) fn arguments(&self, id: &str, sender: &str, recipients: &[&str]) -> Vec<String> {
        let mut arguments = vec![
            format!("--config={}/etc/config", self.root.display()),
            format!("--queue-id={id}"),
            "--size=312".to_owned(),
            format!("--from={sender}"),
            "--client=".to_owned(),
            "--proto=".to_owned(),
            "--host=leaf".to_owned(),
            "--".to_owned(),
        ];
        arguments.extend(recipients.iter().map(|r| (*r).to_owned()));
        arguments
    }

    pub(crate) fn deliver(&self, id: &str, recipients: &[&str]) -> Outcome {
        self.run(&self.arguments(id, "bob@hub.lab", recipients), MESSAGE)
    }

    /// Runs the program in the environment that pipe(8) gives it.
    pub(crate) fn run(&self, arguments: &[String], message: &[u8]) -> Outcome {
        self.run_in_shell("umask 077; exec \"$@\" 2>&1", arguments, message)
    }

    pub(crate) fn run_in_shell(
        &self,
        script: &str,
        arguments: &[String],
        message: &[u8],
    ) -> Outcome {
        alone::run(self.command(script, arguments), message)
    }

    pub(crate) fn command(&self, script: &str, arguments: &[String]) -> Command {
        let mut command = Command::new("/bin/sh");
        command
            .args(["-c", script, "sh", PROGRAM])
            .args(arguments)
            .env_clear()
            .env("PATH", "/usr/bin:/bin")
            .env("MAIL_CONFIG", "/etc/postfix")
            .current_dir(&self.root)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped());
        command
    }

    /// The jobs queued for leaf.
    pub(crate) fn jobs(&self) -> Vec<Job> {
        let folder = self.root.join("spool/leaf");
        let Ok(entries) = fs::read_dir(folder.join("C.")) else {
            return Vec::new();
        };
        let mut jobs = Vec::new();
        for entry in entries {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_str().unwrap().to_owned();
            if !name.starts_with("C.") {
                continue;
            }
            let line = String::from_utf8_lossy(&fs::read(&path).unwrap()).into_owned();
            assert_eq!(line.lines().count(), 1, "{line}");
            let data = line.split(' ').nth(1).unwrap().to_owned();
            jobs.push(Job {
                data: fs::read(folder.join("D.").join(data)).unwrap(),
                line: line.trim_end_matches('\n').to_owned(),
            });
        }
        jobs
    }

    /// All recipients of all jobs, sorted.
    pub(crate) fn queued(&self) -> Vec<String> {
        let mut all: Vec<String> = self.jobs().iter().flat_map(Job::recipients).collect();
        all.sort();
        all
    }

    /// The job was sent: its files go, as uucico removes them.
    pub(crate) fn send_all(&self) {
        for kind in ["C.", "D."] {
            for entry in fs::read_dir(self.root.join("spool/leaf").join(kind)).unwrap() {
                fs::remove_file(entry.unwrap().path()).unwrap();
            }
        }
    }
}
