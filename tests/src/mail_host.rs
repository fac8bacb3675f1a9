//! A host with a real Postfix: a root directory, a mount and a process namespace of its own.
//!
//! Its first process is Postfix's master; when that is killed, everything in it ends and every mount goes. The mailboxes and
//! the log lie outside, where the test reads them. It shares the machine's loopback, on ports that were free.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::Site;
use crate::node::{free_port, is_listening, walk};
use crate::peers::Peers;
use crate::process::{self, Running};

/// What runs before Postfix, in the new namespaces: `$1` base tree, `$2` folder of the host, then what to bind.
const ENTER: &str = r#"
set -e
base=$1 folder=$2; shift 2
root=$folder/root
mount --make-rprivate /
mount -t overlay overlay -o "lowerdir=$base,upperdir=$folder/upper,workdir=$folder/work" "$root" 2>/dev/null ||
    { cp -a "$base/." "$root"; cp -a "$folder/upper/." "$root"; }
mount -t tmpfs -o mode=755 dev "$root/dev"
for name in null zero full random urandom; do : >"$root/dev/$name"; mount --bind "/dev/$name" "$root/dev/$name"; done
ln -s /proc/self/fd "$root/dev/fd"
mount -t proc proc "$root/proc"
mount --bind "$folder/mail" "$root/var/mail"
mount --bind "$folder/log" "$root/var/log"
for path; do mkdir -p "$root$path"; mount --bind "$path" "$root$path"; done
chroot "$root" /usr/sbin/postfix set-permissions >/dev/null 2>&1 || true
# It stops at the first manual page that is missing, before these.
chroot "$root" /bin/chgrp postdrop /usr/sbin/postdrop /usr/sbin/postqueue
chmod 2755 "$root/usr/sbin/postdrop" "$root/usr/sbin/postqueue"
exec chroot "$root" /usr/sbin/postfix start-fg
"#;

/// A running Postfix.
#[derive(Debug)]
pub struct MailHost {
    name: String,
    folder: PathBuf,
    port: u16,
    running: Running,
}

/// What to add to a plain Postfix.
#[derive(Debug, Default)]
pub struct Setup<'a> {
    /// Lines for main.cf.
    pub main: &'a str,
    /// Lines for master.cf.
    pub master: &'a str,
    /// The transport map, if main.cf names one.
    pub transport: &'a str,
    /// Folders of the machine that are seen under the same path.
    pub binds: &'a [&'a Path],
}

impl MailHost {
    /// Starts a Postfix that takes every mailbox of `NAME.example`.
    pub fn start(site: &Site, peers: &Peers, name: &str, setup: &Setup<'_>) -> Self {
        let folder = site.path().join(format!("{name}-postfix"));
        for part in ["upper/etc/postfix", "work", "root", "mail", "log"] {
            fs::create_dir_all(folder.join(part)).expect("a folder of the host");
        }
        std::os::unix::fs::lchown(folder.join("mail"), Some(1002), Some(1002)).expect("chown");
        let port = free_port();
        let etc = folder.join("upper/etc/postfix");
        let write =
            |file: &str, text: &str| fs::write(etc.join(file), text).expect("a file of Postfix");
        write("main.cf", &(main_cf(name) + setup.main));
        write("master.cf", &(master_cf(peers.root(), port) + setup.master));
        write("transport", setup.transport);
        write("makedefs.out", "");
        let mut command = Command::new("unshare");
        command
            .args([
                "--mount",
                "--pid",
                "--ipc",
                "--uts",
                "--fork",
                "--kill-child",
                "/bin/sh",
                "-c",
                ENTER,
                "enter",
            ])
            .arg(peers.root())
            .arg(&folder)
            .args(setup.binds)
            .env_clear()
            .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
            .stdin(std::process::Stdio::null());
        let mut running = Running::start(command, &folder.join("log/start.out"));
        process::wait_for("Postfix to listen", process::PATIENCE, || {
            assert!(
                !running.has_ended(),
                "Postfix ended:\n{}",
                running.printed()
            );
            is_listening(port).then_some(())
        });
        Self {
            name: name.to_owned(),
            folder,
            port,
            running,
        }
    }

    /// The port that takes mail from anybody on this machine.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Its mail log.
    pub fn log(&self) -> String {
        process::lossy(&self.folder.join("log/mail.log"))
    }

    /// Every message in its mailboxes, one file per recipient.
    pub fn delivered(&self) -> Vec<PathBuf> {
        let mut found = Vec::new();
        walk(&self.folder.join("mail"), &mut |path| {
            if path.parent().is_some_and(|folder| folder.ends_with("new")) {
                found.push(path.to_owned());
            }
        });
        found
    }

    /// Runs a command inside.
    pub fn command(&self, program: &str, arguments: &[&str]) -> Command {
        let inside = process::children(self.running.pid());
        let pid = inside.first().expect("the first process of the host");
        let mut command = Command::new("nsenter");
        command
            .args([
                "-t",
                &pid.to_string(),
                "--mount",
                "--pid",
                "--ipc",
                "--uts",
                "--root",
                "--wd",
                "--",
                program,
            ])
            .args(arguments)
            .stdin(std::process::Stdio::null());
        command
    }

    /// How many messages wait in its queues.
    pub fn queued(&self) -> usize {
        let finished = process::run(self.command("/usr/sbin/postqueue", &["-j"]), &self.folder);
        finished
            .output
            .lines()
            .filter(|line| line.starts_with('{'))
            .count()
    }
}

impl Drop for MailHost {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let log = self.log();
            let lines: Vec<&str> = log.lines().collect();
            println!("---- Postfix of {} (its last lines)", self.name);
            println!("{}", lines[lines.len().saturating_sub(40)..].join("\n"));
            println!("{}", self.running.printed());
        }
    }
}

fn main_cf(name: &str) -> String {
    format!(
        "compatibility_level = 3.6\n\
         queue_directory = /var/spool/postfix\ncommand_directory = /usr/sbin\n\
         daemon_directory = /usr/lib/postfix/sbin\ndata_directory = /var/lib/postfix\n\
         mail_owner = postfix\nsetgid_group = postdrop\nsendmail_path = /usr/sbin/sendmail\n\
         newaliases_path = /usr/bin/newaliases\nmailq_path = /usr/bin/mailq\n\
         html_directory = no\nreadme_directory = no\nmanpage_directory = /usr/share/man\n\
         myhostname = mail.{name}.example\nmydestination =\nmynetworks = 127.0.0.0/8\n\
         inet_interfaces = 127.0.0.1\ninet_protocols = ipv4\nalias_maps =\nalias_database =\n\
         virtual_mailbox_domains = {name}.example, mail.{name}.example\nvirtual_mailbox_maps = static:all/\n\
         virtual_mailbox_base = /var/mail\nvirtual_uid_maps = static:1002\nvirtual_gid_maps = static:1002\n\
         virtual_minimum_uid = 100\nmailbox_size_limit = 0\nvirtual_mailbox_limit = 0\nmessage_size_limit = 200000000\n\
         disable_dns_lookups = yes\nsmtp_host_lookup = native\nsmtputf8_enable = yes\nsmtputf8_autodetect_classes = all\n\
         maillog_file = /var/log/mail.log\nin_flow_delay = 0\nallow_min_user = yes\nstrict_rfc821_envelopes = no\n\
         minimal_backoff_time = 1s\nmaximal_backoff_time = 5s\nqueue_run_delay = 2s\n\
         smtpd_client_connection_count_limit = 0\nsmtpd_error_sleep_time = 0\n\
         # What the project's snippet says follows.\n"
    )
}

/// Debian's own file, with nothing chrooted, its uucp lines left out, and the port of this host.
fn master_cf(root: &Path, port: u16) -> String {
    let original = process::lossy(&root.join("usr/share/postfix/master.cf.dist"));
    let unwanted = [
        "maildrop",
        "uucp",
        "ifmail",
        "bsmtp",
        "scalemail",
        "mailman",
        "smtp      inet",
    ];
    let mut text = format!("127.0.0.1:{port} inet n - n - - smtpd\n");
    let mut skipping = false;
    for line in original.lines().filter(|line| !line.starts_with('#')) {
        let starts_service = !line.starts_with([' ', '\t']);
        if starts_service {
            skipping = unwanted.iter().any(|name| line.starts_with(name));
        }
        if skipping || line.is_empty() {
            continue;
        }
        if starts_service {
            let mut words: Vec<&str> = line.split_whitespace().collect();
            words[4] = "n";
            text.push_str(&words.join(" "));
        } else {
            text.push_str(line);
        }
        text.push('\n');
    }
    text
}
