//! How a node knows its neighbours: their part of its configuration.

use std::fmt::Write as _;
use std::path::Path;

use super::Node;
use crate::process;

/// How a node reaches its neighbour.
#[derive(Debug, Clone)]
pub enum Reach {
    /// It does not call: the neighbour does.
    Never,
    /// By TCP to this port of 127.0.0.1.
    Tcp(u16),
    /// By TLS to this port of 127.0.0.1, the keys once told ([`Node::befriend`]).
    Tls(u16),
    /// Through this command's standard input and output.
    Pipe(Vec<String>),
    /// Over the terminal that [`Node::connect`] tells before each call.
    Serial,
}

/// The log-in name under which `caller` calls.
pub fn login_of(caller: &str) -> String {
    format!("U{caller}")
}

fn password_of(caller: &str) -> String {
    format!("pw-{caller}")
}

impl Node {
    /// Introduces a neighbour: who it is, over which protocols (empty: any), how it is reached, and further sys lines.
    pub fn add_neighbour(&self, peer: &str, protocols: &str, reach: &Reach, extra: &str) {
        let mut sys = process::lossy(&self.path("etc/sys"));
        let _ = write!(
            sys,
            "system {peer}\ncalled-login {login}\ncall-login *\ncall-password *\n\
             chat \"\" \\r\\c ogin: \\L word: \\P\nchat-timeout 60\n\
             commands rmail rsmtp store cat uucp\ncommand-path {bin} /bin /usr/bin\n\
             local-send /\nlocal-receive /\nremote-send {folder} ~\nremote-receive {folder} ~\n",
            login = login_of(peer),
            bin = self.path("bin").display(),
            folder = self.folder.display(),
        );
        if !protocols.is_empty() {
            let _ = writeln!(sys, "protocol {protocols}");
        }
        match reach {
            Reach::Never => {}
            Reach::Tcp(port) | Reach::Tls(port) => {
                let _ = writeln!(sys, "time any\naddress 127.0.0.1\nport out-{peer}");
                let kind = if matches!(reach, Reach::Tcp(_)) {
                    "tcp"
                } else {
                    "tls"
                };
                self.append(
                    "etc/port",
                    &format!("port out-{peer}\ntype {kind}\nservice {port}\n\n"),
                );
            }
            Reach::Pipe(command) => {
                let _ = writeln!(sys, "time any\nport out-{peer}");
                let line = format!(
                    "port out-{peer}\ntype pipe\ncommand {}\n\n",
                    command.join(" ")
                );
                self.append("etc/port", &line);
            }
            Reach::Serial => {
                let _ = writeln!(sys, "time any\nport out-{peer}");
            }
        }
        sys.push_str(extra);
        sys.push_str("\n\n");
        self.write("etc/sys", &sys);
        let name = &self.name;
        self.append(
            "etc/call",
            &format!("{peer} {} {}\n", login_of(name), password_of(name)),
        );
        self.append(
            "etc/passwd",
            &format!("{} {}\n", login_of(peer), password_of(peer)),
        );
    }

    /// Adds lines to the description of the neighbour that was introduced last.
    pub fn append_neighbour_rule(&self, lines: &str) {
        let sys = process::lossy(&self.path("etc/sys"));
        self.write("etc/sys", &format!("{}\n{lines}\n\n", sys.trim_end()));
    }

    /// The next call to a neighbour that is reached over a terminal goes over this one. The node has no other port then.
    pub fn connect(&self, peer: &str, device: &Path) {
        let device = device.display();
        let text =
            format!("port out-{peer}\ntype direct\ndevice {device}\nspeed 38400\nhardflow false\n");
        self.write("etc/port", &text);
    }

    /// Tells this node and another each other's keys for TLS.
    pub fn befriend(&self, other: &Self) {
        for (one, peer) in [(self, other), (other, self)] {
            let printed = peer.run("uucico", &["--certificate"]);
            printed.expect_success("uucico --certificate");
            let known = process::lossy(&one.path("etc/mail.toml"));
            one.write("etc/mail.toml", &format!("{known}\n{}", printed.output));
        }
    }
}
