//! `conf-snippets/ssh/` with Debian's OpenSSH on both sides: the account, the key and its forced command, the port.
//!
//! One host is both machines. In it the account `uucp` is as Debian makes it, and holds the files of either side: the key of
//! the leaf, and the line of `authorized_keys` that lets that key in at the hub.

use std::fs;
use std::path::{Path, PathBuf};

use suite_tests::host::{Host, Plan, Sign};
use suite_tests::maildir::{Mailboxes, add_rmail};
use suite_tests::peers::{Layer, Peers};
use suite_tests::peers_with_or_skip;
use suite_tests::ports::free_port;
use suite_tests::process::{self, Finished};
use suite_tests::programs;

use super::{INSTALLED, Pair, line_with, pair, snippet};

/// Where the keys of sshd and of the leaf are made.
struct Keys {
    server: PathBuf,
    leaf: PathBuf,
}

impl Keys {
    fn new(peers: &Peers, tree: &Path, folder: &Path) -> Self {
        let key = |name: &str| {
            let path = folder.join(name);
            let mut command = peers.native(tree, "usr/bin/ssh-keygen");
            command
                .args(["-q", "-t", "ed25519", "-N", "", "-C", "uucp@leaf", "-f"])
                .arg(&path);
            process::run(command, folder).expect_success("ssh-keygen");
            path
        };
        Self {
            server: key("host_key"),
            leaf: key("leaf_key"),
        }
    }

    /// What stands in `.pub`: kind and key, without the comment.
    fn public(key: &Path) -> String {
        let text = process::lossy(&key.with_extension("pub"));
        let words: Vec<&str> = text.split_whitespace().take(2).collect();
        words.join(" ")
    }
}

/// The snippet's line, with our paths and leaf's key.
fn authorized_keys(pair: &Pair, keys: &Keys) -> String {
    let text = snippet("ssh/authorized_keys");
    let line = line_with(&text, "restrict,");
    let words: Vec<&str> = line.split_whitespace().collect();
    let example = words[words.len() - 3..words.len() - 1].join(" ");
    assert!(example.starts_with("ssh-ed25519 "), "{line}");
    let uucico = format!(
        "{} -I {}",
        programs::bin("uucico").display(),
        pair.hub.config().display()
    );
    text.replace(&example, &Keys::public(&keys.leaf))
        .replace(&format!("{INSTALLED}/uucico"), &uucico)
}

/// What makes the host what the maintainer scripts would have, and runs sshd.
const START: &str = "echo 'sshd:*:110:65534::/run/sshd:/usr/sbin/nologin' >>/etc/passwd\n\
    mkdir -m 755 /run/sshd\nchown -R uucp:uucp /var/spool/uucp/.ssh\n\
    chmod 700 /var/spool/uucp/.ssh\nchmod 600 /var/spool/uucp/.ssh/* /etc/ssh/host_key\n\
    exec /usr/sbin/sshd -D -e -f /etc/ssh/sshd_config";

/// A host where sshd waits, and which knows itself as hub.example.
fn host(pair: &Pair, peers: &Peers, tree: &Path) -> Host {
    let keys = Keys::new(peers, tree, pair.site.path());
    let mut host = Host::new(&pair.site, "host");
    // Between the look and the start somebody else may take the port: then another one.
    let is_up = (0..10).any(|_| start(&mut host, free_port(), pair, peers, tree, &keys));
    assert!(is_up, "no port for sshd");
    host
}

/// Starts sshd on a port, unless somebody else has that.
fn start(host: &mut Host, port: u16, pair: &Pair, peers: &Peers, tree: &Path, keys: &Keys) -> bool {
    let sshd = format!(
        "Port {port}\nListenAddress 127.0.0.1\nHostKey /etc/ssh/host_key\nPidFile none\nUsePAM no\n\
         PasswordAuthentication no\nKbdInteractiveAuthentication no\nLogLevel VERBOSE\n"
    );
    host.write("etc/ssh/sshd_config", &sshd);
    host.write("etc/ssh/host_key", &process::lossy(&keys.server));
    let home = "var/spool/uucp/.ssh";
    // What the port's command says of the host stays; only where it is, is of this scenario.
    let client =
        format!("Host hub.example\nHostName 127.0.0.1\nPort {port}\nHostKeyAlias hub.example\n");
    for (name, text) in [
        ("authorized_keys", authorized_keys(pair, keys)),
        ("config", client),
        ("id_ed25519", process::lossy(&keys.leaf)),
        (
            "known_hosts",
            format!("hub.example {}\n", Keys::public(&keys.server)),
        ),
    ] {
        host.write(&format!("{home}/{name}"), &text);
    }
    let plan = Plan {
        trees: &[tree, peers.base()],
        start: START,
        binds: &[pair.site.path(), programs::build()],
        sign: Sign::Listens(port),
    };
    host.start(&plan)
}

impl Pair {
    /// What leaf needs beside what it has: the snippets, and where its own mail goes.
    fn reach_by_ssh(&self) -> Mailboxes {
        let bin = self.leaf.path("bin").display().to_string();
        self.leaf.write("etc/port", &snippet("ssh/port"));
        let sys = snippet("ssh/sys").replace(INSTALLED, &bin);
        self.leaf.write("etc/sys", &sys);
        add_rmail(&self.leaf);
        Mailboxes::new(&self.leaf, "leaf.example")
    }

    fn call_from(&self, host: &Host) -> Finished {
        let mut command = host.node_command(&self.leaf, "uucico");
        command.args(["-S", "hub"]);
        process::run(command, self.site.path())
    }
}

/// A command that is typed at leaf, as the README has it, with more words for the other side to run.
fn typed(pair: &Pair, host: &Host, words: &[&str]) -> String {
    let arguments = [&["-l", "uucp", "hub.example"], words].concat();
    let command = host.command_as(
        Some(pair.leaf.owner()),
        Path::new("/usr/bin/ssh"),
        &arguments,
    );
    process::run(command, pair.site.path()).output
}

#[test]
fn mail_goes_both_ways_through_openssh() {
    let test = "snippets: OpenSSH on both sides";
    let Some(peers) = peers_with_or_skip(test, &[Layer::Ssh]) else {
        return;
    };
    let tree = peers.layer(Layer::Ssh).expect("OpenSSH");
    let pair = pair(1);
    let at_leaf = pair.reach_by_ssh();
    let host = host(&pair, peers, &tree);
    pair.queue();
    let reply = b"From: bob@hub.example\nSubject: a reply\n\nhello\n";
    let arguments = [
        "-r",
        "-abob@hub.example",
        "-",
        "leaf!rmail",
        "(ann@leaf.example)",
    ];
    pair.hub
        .run_with_input("uux", &arguments, reply)
        .expect_success("uux");

    // With the shell that Debian gives the account sshd can run nothing in it, not even the forced command.
    let told = pair.call_from(&host);
    assert!(!told.status.success());
    let log = pair.leaf.log();
    assert!(log.contains("Line disconnected"), "{log}");
    let said = "This account is currently not available";
    assert!(typed(&pair, &host, &[]).contains(said));
    assert_eq!(pair.leaf.count("hub/C."), 1);

    let shell = ["-c", "sed -i '/^uucp:/s,:[^:]*$,:/bin/sh,' /etc/passwd"];
    let change = host.command(Path::new("/bin/sh"), &shell);
    process::run(change, pair.site.path()).expect_success("usermod --shell /bin/sh uucp");
    for words in [&[][..], &["cat", "/etc/passwd"], &["/bin/sh"]] {
        let heard = typed(&pair, &host, words);
        assert!(heard.contains("Password:"), "{words:?}: {heard}");
        assert!(!heard.contains("root:"), "{words:?}: {heard}");
    }
    pair.call_from(&host).expect_success("the call");
    // Both sides have started an uuxqt of their own.
    process::wait_for("the reply to be delivered", process::PATIENCE, || {
        pair.leaf.run("uuxqt", &[]).expect_success("uuxqt");
        (pair.leaf.leftovers().is_empty() && at_leaf.messages().len() == 1).then_some(())
    });
    pair.expect_delivery();
    let message = fs::read(&at_leaf.messages()[0]).unwrap();
    assert!(message.ends_with(b"\nSubject: a reply\n\nhello\n"));
}

#[test]
fn the_options_of_ssh_are_options() {
    let test = "snippets: the options of ssh";
    let Some(peers) = peers_with_or_skip(test, &[Layer::Ssh]) else {
        return;
    };
    let tree = peers.layer(Layer::Ssh).expect("OpenSSH");
    let line = line_with(&snippet("ssh/port"), "command /usr/bin/ssh");
    // ssh -G prints what it would do and connects to nobody.
    let output = peers
        .native(&tree, "usr/bin/ssh")
        .args(["-F", "none", "-G"])
        .args(line.split_whitespace().skip(2))
        .output()
        .expect("ssh");
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    for wanted in [
        "user uucp",
        "hostname hub.example",
        "batchmode yes",
        "serveraliveinterval 15",
    ] {
        assert!(said.contains(wanted), "no {wanted} in:\n{said}");
    }
}
