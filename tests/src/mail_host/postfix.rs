//! Postfix, as [`super::MailHost`] has it.

use std::path::Path;

use super::{Circumstances, Day, Mta};
use crate::host::Host;
use crate::peers::Layer;
use crate::process;

/// What to add to a plain Postfix.
#[derive(Debug, Default)]
pub struct Postfix<'a> {
    /// Lines for main.cf.
    pub main: &'a str,
    /// Lines for master.cf.
    pub master: &'a str,
    /// The transport map, if main.cf names one.
    pub transport: &'a str,
    /// Folders of the machine that are seen under the same path.
    pub binds: &'a [&'a Path],
}

impl Mta for Postfix<'_> {
    fn layer(&self) -> Layer {
        Layer::Postfix
    }

    fn configure(&self, host: &Host, circumstances: &Circumstances<'_>) {
        let main = main_cf(circumstances);
        host.write("etc/postfix/main.cf", &(main + self.main));
        let master = master_cf(circumstances.tree, circumstances.port);
        host.write("etc/postfix/master.cf", &(master + self.master));
        host.write("etc/postfix/transport", self.transport);
        host.write("etc/postfix/mailboxes", "!/^unknown@/ all/\n");
        host.write("etc/postfix/later", "/^later@/ all/\n");
        host.write("etc/postfix/makedefs.out", "");
    }

    fn prepare(&self) -> &'static str {
        // What `postfix start-fg` does at length, each time.
        "chown postfix /var/lib/postfix\n\
         chgrp postdrop /usr/sbin/postdrop /usr/sbin/postqueue\n\
         chmod 2755 /usr/sbin/postdrop /usr/sbin/postqueue\n\
         cd /var/spool/postfix\n\
         mkdir -p -m 700 active bounce corrupt defer deferred flush hold incoming private saved trace\n\
         chown postfix active bounce corrupt defer deferred flush hold incoming private saved trace\n\
         mkdir -p pid public maildrop; chown postfix:postdrop public maildrop\n\
         chmod 710 public; chmod 730 maildrop"
    }

    fn serve(&self) -> &'static str {
        "exec /usr/lib/postfix/sbin/master -i"
    }

    fn binds(&self) -> &[&Path] {
        self.binds
    }

    fn recipient_field(&self) -> &'static str {
        "X-Original-To"
    }

    fn log(&self) -> &'static str {
        "mail.log"
    }

    fn queued(&self) -> &'static str {
        "postqueue -j | grep -c '^{' || true"
    }
}

fn main_cf(circumstances: &Circumstances<'_>) -> String {
    let Circumstances {
        name, domains, day, ..
    } = circumstances;
    // Postfix has no room when less is free than this.
    let least = if *day == Day::Full { 1_u64 << 60 } else { 0 };
    // A map that fails: who asks shall come again.
    let later = if *day == Day::Generous {
        ""
    } else {
        "pipemap:{regexp:/etc/postfix/later, fail:later}, "
    };
    format!(
        "compatibility_level = 3.6\n\
         queue_directory = /var/spool/postfix\ncommand_directory = /usr/sbin\n\
         daemon_directory = /usr/lib/postfix/sbin\ndata_directory = /var/lib/postfix\n\
         mail_owner = postfix\nsetgid_group = postdrop\nsendmail_path = /usr/sbin/sendmail\n\
         newaliases_path = /usr/bin/newaliases\nmailq_path = /usr/bin/mailq\n\
         html_directory = no\nreadme_directory = no\nmanpage_directory = /usr/share/man\n\
         myhostname = mail.{name}.example\nmydestination =\nmynetworks = 127.0.0.0/8\n\
         inet_interfaces = 127.0.0.1\ninet_protocols = ipv4\nalias_maps =\nalias_database =\n\
         virtual_mailbox_domains = {domains}\nvirtual_mailbox_maps = {later}regexp:/etc/postfix/mailboxes\n\
         virtual_mailbox_base = /var/mail\nvirtual_uid_maps = static:1002\nvirtual_gid_maps = static:1002\n\
         virtual_minimum_uid = 100\nmailbox_size_limit = 0\nvirtual_mailbox_limit = 0\nmessage_size_limit = 200000000\n\
         disable_dns_lookups = yes\nsmtp_host_lookup = native\nsmtputf8_enable = yes\nsmtputf8_autodetect_classes = all\n\
         maillog_file = /var/log/mail.log\nin_flow_delay = 0\nallow_min_user = yes\nstrict_rfc821_envelopes = no\n\
         minimal_backoff_time = 1s\nmaximal_backoff_time = 5s\nqueue_run_delay = 2s\nqueue_minfree = {least}\n\
         smtpd_client_connection_count_limit = 0\nsmtpd_error_sleep_time = 0\n\
         # What the project's snippet says follows.\n",
        domains = domains.join(", "),
    )
}

/// Debian's own file, with nothing chrooted, its uucp lines left out, and the port of this host.
fn master_cf(tree: &Path, port: u16) -> String {
    let original = process::lossy(&tree.join("usr/share/postfix/master.cf.dist"));
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
