//! The way from leaf to hub, one station after the other, each with the files it really made.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use suite_tests::maildir::{Mailboxes, add_rmail};
use suite_tests::node::{Node, Reach, login_of, walk};
use suite_tests::process::{self, Owner};
use suite_tests::programs::{self, Side};

use crate::message::grouped;

/// What is to travel, and where.
pub(crate) struct Journey<'a> {
    pub(crate) folder: &'a Path,
    pub(crate) from: &'a str,
    pub(crate) to: &'a str,
    pub(crate) protocol: &'a str,
}

/// Where the message ended, and what it was there.
pub(crate) struct Arrived {
    pub(crate) path: PathBuf,
    pub(crate) content: Vec<u8>,
    /// The port name of hub's listener, for going on.
    port: u16,
}

impl Journey<'_> {
    /// Sends the message and prints a line per station.
    pub(crate) fn travel(&self, content: &[u8], source: &str) -> Arrived {
        station(
            "message",
            source,
            &format!("from {} to {}", self.from, self.to),
            content.len(),
            None,
        );
        programs::build();
        let (leaf, hub) = (self.node("leaf"), self.node("hub"));
        let mailboxes = Mailboxes::new(&hub, "hub.example");
        add_rmail(&hub);
        let listener = hub.listen();
        leaf.add_neighbour("hub", self.protocol, &Reach::Tcp(listener.port()), "");
        hub.add_neighbour("leaf", self.protocol, &Reach::Never, "");

        self.queue(&leaf, content);
        self.call(&leaf, &hub, listener.port());
        let port = listener.port();
        drop(listener);
        self.execute(&hub, &mailboxes, port)
    }

    fn node(&self, name: &str) -> Node {
        Node::in_folder(&self.folder.join(name), name, Side::Ours, Owner::Myself)
    }

    fn queue(&self, leaf: &Node, content: &[u8]) {
        let mut command = leaf.command_of(&programs::bin("postfix-uucp"));
        command
            .args(["--host=hub", "--queue-id=DEMO1"])
            .arg(format!("--from={}", self.from))
            .args(["--", self.to]);
        let start = Instant::now();
        process::run_with_input(command, content, &leaf.path("log")).expect_success("postfix-uucp");
        let took = start.elapsed();
        for (name, part) in [("data", "D."), ("the job", "C.")] {
            for path in files(&leaf.spool().join("hub").join(part)) {
                let shown = self.shown(&path);
                let first = (part == "D.").then_some(took);
                station(
                    "postfix-uucp",
                    &format!("leaf queued {name}"),
                    &shown,
                    size(&path),
                    first,
                );
            }
        }
    }

    fn call(&self, leaf: &Node, hub: &Node, port: u16) {
        let start = Instant::now();
        leaf.call("hub").expect_success("uucico");
        let took = start.elapsed();
        let log = leaf.log();
        let protocol = log
            .lines()
            .rev()
            .find_map(|line| {
                line.split("Handshake successful (protocol '")
                    .nth(1)?
                    .chars()
                    .next()
            })
            .expect("the log of leaf names no protocol");
        let how = format!(
            "TCP to 127.0.0.1:{port}, login {}, protocol {protocol}",
            login_of("leaf")
        );
        let left = files(&leaf.spool().join("hub/C."));
        assert!(left.is_empty(), "the job is still at leaf: {left:?}");
        let received = files(&hub.spool().join("leaf/D."));
        let carried = received.iter().map(|path| size(path)).sum();
        station("uucico", "leaf called hub", &how, carried, Some(took));
        for path in received {
            station(
                "uucico",
                "hub received",
                &self.shown(&path),
                size(&path),
                None,
            );
        }
        for path in files(&hub.spool().join("leaf/X.")) {
            station(
                "uucico",
                "hub is to execute",
                &self.shown(&path),
                size(&path),
                None,
            );
        }
    }

    fn execute(&self, hub: &Node, mailboxes: &Mailboxes, port: u16) -> Arrived {
        let start = Instant::now();
        hub.run("uuxqt", &[]).expect_success("uuxqt");
        let took = start.elapsed();
        let log = hub.log();
        let executed = log
            .lines()
            .rev()
            .find_map(|line| line.split("Executing ").nth(1))
            .expect("the log of hub shows no execution");
        station("uuxqt", "hub executed", executed, 0, Some(took));
        let messages = mailboxes.messages();
        let path = messages
            .first()
            .expect("no message lies in hub's mailboxes")
            .clone();
        let content = std::fs::read(&path).expect("the message");
        station(
            "rmail",
            "hub delivered",
            &self.shown(&path),
            content.len(),
            None,
        );
        let left = hub.leftovers();
        assert!(left.is_empty(), "left in the spool of hub: {left:?}");
        Arrived {
            path,
            content,
            port,
        }
    }

    fn shown(&self, path: &Path) -> String {
        path.strip_prefix(self.folder)
            .unwrap_or(path)
            .display()
            .to_string()
    }

    /// Commands with which the reader can go on.
    pub(crate) fn show_what_next(&self, arrived: &Arrived) {
        let programs = programs::build().display().to_string();
        let folder = self.folder.display();
        println!(
            "\nBoth nodes stay in {folder}: configuration in leaf/etc and hub/etc, spool and log beside it. To go on:\n"
        );
        println!(
            "    {programs}/uucico -I {folder}/hub/etc/config -D -l -p in{} &",
            arrived.port
        );
        println!(
            "    echo again | {programs}/uux -I {folder}/leaf/etc/config -r - 'hub!rmail' '({})'",
            self.to
        );
        println!("    {programs}/uucico -I {folder}/leaf/etc/config -S hub");
        println!("    {programs}/uuxqt -I {folder}/hub/etc/config");
        println!("    tail {folder}/*/log/*");
    }
}

impl Arrived {
    /// Says where the message lies, and shows its header.
    pub(crate) fn show(&self) {
        println!("\nIt lies in {}\nand begins:\n", self.path.display());
        let header = self
            .content
            .split(|byte| *byte == b'\n')
            .take_while(|line| !line.is_empty());
        for line in header {
            println!("    {}", String::from_utf8_lossy(line));
        }
        println!();
    }
}

fn station(program: &str, what: &str, detail: &str, bytes: usize, took: Option<Duration>) {
    let bytes = if bytes == 0 {
        String::new()
    } else {
        format!("{} bytes", grouped(bytes))
    };
    let took = took.map_or_else(String::new, |took| {
        format!("{:.1} ms", took.as_secs_f64() * 1e3)
    });
    let line = format!("  {program:<13} {what:<28} {detail:<62} {bytes:>14} {took:>10}");
    println!("{}", line.trim_end());
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    walk(folder, &mut |path| found.push(path.to_owned()));
    found.sort();
    found
}

fn size(path: &Path) -> usize {
    std::fs::metadata(path).map_or(0, |found| {
        usize::try_from(found.len()).unwrap_or(usize::MAX)
    })
}
