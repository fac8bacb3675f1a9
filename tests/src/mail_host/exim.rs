//! Exim, as [`super::MailHost`] has it.

use super::{Circumstances, Day, Mta};
use crate::host::Host;
use crate::peers::Layer;

/// What to add to a plain Exim.
#[derive(Debug, Default)]
pub struct Exim<'a> {
    /// Lines for the first part of the configuration; if they say where to listen, `{port}` is the host's port.
    pub main: &'a str,
    /// Lines of the ACL for recipients, before the one that takes all.
    pub acl: &'a str,
    /// Routers, before the one for mailboxes.
    pub routers: &'a str,
    /// Transports.
    pub transports: &'a str,
    /// It takes mail, and what it does not deliver at once stays in its queue.
    pub leaves_queue: bool,
}

impl Mta for Exim<'_> {
    fn layer(&self) -> Layer {
        Layer::Exim
    }

    fn configure(&self, host: &Host, circumstances: &Circumstances<'_>) {
        host.write("etc/exim4/exim4.conf", &self.configuration(circumstances));
    }

    fn prepare(&self) -> &'static str {
        "chmod 4755 /usr/sbin/exim4\n\
         mkdir -p /var/log/exim4 /var/spool/exim4/input /var/spool/exim4/db /var/spool/exim4/msglog\n\
         chown -R Debian-exim:Debian-exim /var/log/exim4 /var/spool/exim4\n\
         chown root:root /etc/exim4/exim4.conf\n\
         rm -f /run/exim.pid"
    }

    fn serve(&self) -> &'static str {
        if self.leaves_queue {
            return "exim4 -bdf -oP /run/exim.pid &\n\
                    wait $!";
        }
        "exim4 -bdf -q1s -oP /run/exim.pid &\n\
         wait $!"
    }

    fn recipient_field(&self) -> &'static str {
        "Envelope-to"
    }

    fn log(&self) -> &'static str {
        "exim4/mainlog"
    }

    fn queued(&self) -> &'static str {
        // A header without its data is what an Exim leaves that is killed while it takes a delivered message away;
        // `exim4 -bpc` counts it for ever.
        "cd /var/spool/exim4/input; for h in *-H; do [ -e \"${h%H}D\" ] && echo; done | wc -l"
    }
}

impl Exim<'_> {
    fn configuration(&self, circumstances: &Circumstances<'_>) -> String {
        let Circumstances {
            name,
            domains,
            port,
            day,
            ..
        } = circumstances;
        // Exim has no room when less is free than this.
        let least = if *day == Day::Full { "2000000G" } else { "0" };
        let later = if *day == Day::Generous { "" } else { "later" };
        let listeners = if self.main.contains("local_interfaces") {
            String::new()
        } else {
            format!("local_interfaces = 127.0.0.1.{port}\n")
        };
        format!(
            "primary_hostname = mail.{name}.example\n\
             {listeners}\
             domainlist local_domains = {domains}\n\
             spool_directory = /var/spool/exim4\nlog_file_path = /var/log/exim4/%slog\n\
             log_selector = +received_recipients +subject +sender_on_delivery +pid\n\
             host_lookup =\nrfc1413_query_timeout = 0s\ntls_advertise_hosts =\ndsn_advertise_hosts = *\n\
             smtputf8_advertise_hosts = *\naccept_8bitmime = true\nmessage_size_limit = 200M\nheader_maxsize = 4M\n\
             keep_environment =\nnever_users =\nnotifier_socket =\nrecipients_max = 0\nsmtp_accept_max = 0\n\
             smtp_accept_queue_per_connection = 0\nignore_bounce_errors_after = 0s\nqueue_run_max = 5\nremote_max_parallel = 4\n\
             smtp_max_unknown_commands = 100\nsmtp_max_synprot_errors = 100\n\
             check_spool_space = {least}\nacl_smtp_rcpt = acl_rcpt\n\
             # What the project's snippet says follows.\n\
             {main}\n\
             begin acl\n\
             acl_rcpt:\n\
             \x20 deny domains = +local_domains\n\
             \x20      local_parts = unknown\n\
             \x20      message = no such user here\n\
             \x20 defer domains = +local_domains\n\
             \x20      local_parts = {later}\n\
             \x20      message = come again\n\
             {acl}\n\
             \x20 accept\n\
             begin routers\n\
             {routers}\n\
             mailboxes:\n\
             \x20 driver = accept\n\
             \x20 domains = +local_domains\n\
             \x20 local_parts = !unknown\n\
             \x20 transport = mailbox\n\
             begin transports\n\
             {transports}\n\
             mailbox:\n\
             \x20 driver = appendfile\n\
             \x20 directory = /var/mail/all\n\
             \x20 maildir_format\n\
             \x20 return_path_add\n\
             \x20 envelope_to_add\n\
             \x20 user = vmail\n\
             \x20 group = vmail\n\
             begin retry\n\
             *  *  F,2h,1s\n",
            domains = domains.join(" : "),
            main = self.main.replace("{port}", &port.to_string()),
            acl = self.acl,
            routers = self.routers,
            transports = self.transports,
        )
    }
}
