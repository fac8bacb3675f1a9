//! OpenSMTPD, as [`super::MailHost`] has it.

use super::{Circumstances, Day, Mta};
use crate::host::Host;
use crate::peers::Layer;

/// What to add to a plain OpenSMTPD.
#[derive(Debug, Default)]
pub struct OpenSmtpd<'a> {
    /// Tables and actions.
    pub actions: &'a str,
    /// Rules, before the one for mailboxes.
    pub rules: &'a str,
}

impl Mta for OpenSmtpd<'_> {
    fn layer(&self) -> Layer {
        Layer::OpenSmtpd
    }

    fn configure(&self, host: &Host, circumstances: &Circumstances<'_>) {
        host.write("etc/smtpd.conf", &self.configuration(circumstances));
        host.write(
            "etc/mailname",
            &format!("mail.{}.example\n", circumstances.name),
        );
        host.write("etc/aliases", "");
        // It has no limit to set: its queue must lie where nothing can be written.
        host.write(
            "etc/is-full",
            if circumstances.day == Day::Full {
                "yes"
            } else {
                "no"
            },
        );
    }

    fn prepare(&self) -> &'static str {
        "chgrp opensmtpq /usr/sbin/smtpctl; chmod 2755 /usr/sbin/smtpctl\n\
         mkdir -p /var/lib/opensmtpd/empty /home/vmail\n\
         if grep -q yes /etc/is-full; then\n\
         \x20   mkdir -p /var/spool/smtpd; mount -t tmpfs -o size=1m full /var/spool/smtpd\n\
         \x20   head -c 2m /dev/zero >/var/spool/smtpd/filler 2>/dev/null || true\n\
         fi\n\
         mkdir -p /var/spool/smtpd/offline /var/spool/smtpd/purge /var/spool/smtpd/queue\n\
         chmod 711 /var/spool/smtpd; chown root:opensmtpq /var/spool/smtpd/offline; chmod 770 /var/spool/smtpd/offline\n\
         chown opensmtpq:root /var/spool/smtpd/purge /var/spool/smtpd/queue\n\
         chmod 700 /var/spool/smtpd/purge /var/spool/smtpd/queue\n\
         chown vmail:vmail /home/vmail; chown root:root /etc/smtpd.conf; chmod 644 /etc/smtpd.conf"
    }

    fn serve(&self) -> &'static str {
        "smtpd -d >/var/log/mail.log 2>&1 &\n\
         wait $!"
    }

    fn recipient_field(&self) -> &'static str {
        "Delivered-To"
    }

    fn log(&self) -> &'static str {
        "mail.log"
    }

    fn queued(&self) -> &'static str {
        "smtpctl show queue | wc -l"
    }
}

impl OpenSmtpd<'_> {
    fn configuration(&self, circumstances: &Circumstances<'_>) -> String {
        let Circumstances {
            domains, port, day, ..
        } = circumstances;
        let quoted = |addresses: &[String]| {
            let all: Vec<String> = addresses.iter().map(|a| format!("\"{a}\"")).collect();
            all.join(", ")
        };
        let at = |user: &str| -> Vec<String> {
            domains
                .iter()
                .map(|domain| format!("{user}@{domain}"))
                .collect()
        };
        let later = if *day == Day::Generous {
            "nobody"
        } else {
            "later"
        };
        format!(
            "smtp max-message-size \"200M\"\n\
             table mailboxes {{ \"@\" = \"vmail\" }}\n\
             table unknown {{ {unknown} }}\n\
             table later {{ {later} }}\n\
             filter later phase rcpt-to match rcpt-to <later> reject \"450 4.7.1 come again\"\n\
             listen on socket\n\
             listen on 127.0.0.1 port {port} filter later\n\
             {actions}\n\
             action \"keep\" maildir \"/var/mail/all\" virtual <mailboxes>\n\
             match from any for rcpt-to <unknown> reject\n\
             {rules}\n\
             match from any for domain {{ {domains} }} action \"keep\"\n",
            unknown = quoted(&at("unknown")),
            later = quoted(&at(later)),
            domains = quoted(domains),
            actions = self.actions,
            rules = self.rules,
        )
    }
}
