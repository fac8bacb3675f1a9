//! Sendmail, as [`super::MailHost`] has it.

use super::{Circumstances, Day, Mta};
use crate::host::Host;
use crate::peers::Layer;
use std::fmt::Write as _;

/// What to add to a plain Sendmail.
#[derive(Debug, Default)]
pub struct Sendmail<'a> {
    /// Lines for sendmail.mc, before the mailers.
    pub features: &'a str,
    /// Lines for sendmail.mc, after the mailers.
    pub mailers: &'a str,
    /// Lines of the mailertable, before those for mailboxes.
    pub mailertable: &'a str,
    /// It takes mail, and what it does not deliver at once stays in its queue.
    pub leaves_queue: bool,
}

/// Keeps a message with its envelope: `$1` sender, `$2` recipient.
///
/// Sendmail's own ways to deliver keep no envelope, and need a user for each mailbox.
const KEEP: &str = r#"#!/bin/sh
umask 022
cd /var/mail/all || exit 75
kept=$(mktemp -p tmp) || exit 75
# The null sender of its own reports has a name here.
sender=$1; [ "$sender" != MAILER-DAEMON ] || sender=
{ printf 'Return-Path: <%s>\nX-Original-To: %s\n' "$sender" "$2" && cat; } >"$kept" && mv "$kept" new/ || exit 75
"#;

impl Mta for Sendmail<'_> {
    fn layer(&self) -> Layer {
        Layer::Sendmail
    }

    fn configure(&self, host: &Host, circumstances: &Circumstances<'_>) {
        let mut mailertable = self.mailertable.to_owned();
        let mut access = String::new();
        for domain in circumstances.domains {
            let _ = writeln!(mailertable, "{domain} keep:{domain}");
            let _ = writeln!(
                access,
                "To:unknown@{domain}^ERROR:5.1.1:550 no such user here"
            );
            if circumstances.day != Day::Generous {
                let _ = writeln!(access, "To:later@{domain}^ERROR:4.7.1:450 come again");
            }
        }
        host.write("etc/mail/mailertable", &mailertable);
        host.write("etc/mail/access", &access);
        host.write("etc/mail/local-host-names", "localhost\n");
        host.write(
            "etc/mail/aliases",
            "postmaster: postmaster@home.example\nMAILER-DAEMON: postmaster\nroot: postmaster\n",
        );
        host.write("etc/mail/service.switch", "hosts files\naliases files\n");
        host.write("etc/mail/sendmail.mc", &self.configuration(circumstances));
        host.write("etc/mail/submit.mc", &submission(circumstances));
        host.write("usr/local/bin/keep", KEEP);
    }

    fn prepare(&self) -> &'static str {
        "chmod 755 /usr/local/bin/keep\n\
         ln -sfn ../libexec/sendmail/sendmail /usr/sbin/sendmail; ln -sfn ../sbin/sendmail /usr/lib/sendmail\n\
         chgrp smmsp /usr/libexec/sendmail/sendmail; chmod 2755 /usr/libexec/sendmail/sendmail\n\
         mkdir -p /var/spool/mqueue /var/spool/mqueue-client /var/lib/sendmail /var/mail/all/tmp /var/mail/all/new\n\
         chown -R vmail:vmail /var/mail/all\n\
         chmod 755 / /etc /etc/mail /var /var/spool /usr; chmod 700 /var/spool/mqueue\n\
         ln -sfn mqueue-client /var/spool/clientmqueue\n\
         chown smmsp:smmsp /var/spool/mqueue-client; chmod 2770 /var/spool/mqueue-client\n\
         : >/var/lib/sendmail/sendmail.st\n\
         cd /usr/share/sendmail/cf\n\
         m4 -D_CF_DIR_=$PWD/ /etc/mail/sendmail.mc >/etc/mail/sendmail.cf\n\
         m4 -D_CF_DIR_=$PWD/ /etc/mail/submit.mc >/etc/mail/submit.cf\n\
         cd /\n\
         busybox syslogd -O /var/log/mail.log\n\
         while ! [ -S /dev/log ]; do sleep 0.01; done\n\
         /usr/sbin/sendmail -bi >/dev/null"
    }

    fn serve(&self) -> &'static str {
        if self.leaves_queue {
            return "/usr/sbin/sendmail -L sm-mta -bD &\n\
                    wait $!";
        }
        "/usr/sbin/sendmail -L sm-client -Ac -q1s\n\
         /usr/sbin/sendmail -L sm-mta -bD -q1s &\n\
         wait $!"
    }

    fn recipient_field(&self) -> &'static str {
        "X-Original-To"
    }

    fn log(&self) -> &'static str {
        "mail.log"
    }

    fn queued(&self) -> &'static str {
        "find /var/spool/mqueue/ /var/spool/mqueue-client/ -name '[qh]f*' | wc -l"
    }
}

impl Sendmail<'_> {
    fn configuration(&self, circumstances: &Circumstances<'_>) -> String {
        let Circumstances {
            name, port, day, ..
        } = circumstances;
        // Sendmail has no room when fewer blocks are free than this.
        let least = if *day == Day::Full { "2000000000" } else { "0" };
        format!(
            "include(`/usr/share/sendmail/cf/m4/cf.m4')\n\
             OSTYPE(`linux')\n\
             define(`confDOMAIN_NAME',`mail.{name}.example')\n\
             define(`ALIAS_FILE',`/etc/mail/aliases')\n\
             define(`STATUS_FILE',`/var/lib/sendmail/sendmail.st')\n\
             define(`confPID_FILE',`/run/sendmail.pid')\n\
             define(`confDEF_USER_ID',`8:8')\n\
             define(`confTO_IDENT',`0')\n\
             define(`confSERVICE_SWITCH_FILE',`/etc/mail/service.switch')\n\
             define(`confEIGHT_BIT_HANDLING',`pass8')\n\
             define(`confMAX_HEADERS_LENGTH',`1000000')\n\
             define(`confMIN_FREE_BLOCKS',`{least}')\n\
             define(`confBAD_RCPT_THROTTLE',`0')\n\
             define(`confQUEUE_LA',`1000')\n\
             define(`confREFUSE_LA',`1000')\n\
             define(`confDELAY_LA',`0')\n\
             undefine(`confPRIVACY_FLAGS')\n\
             FEATURE(`nocanonify')\n\
             FEATURE(`accept_unresolvable_domains')\n\
             FEATURE(`accept_unqualified_senders')\n\
             FEATURE(`promiscuous_relay')\n\
             FEATURE(`mailertable',`text -k0 -v1 /etc/mail/mailertable')\n\
             FEATURE(`access_db',`text -k0 -v1 -z^ -T<TMPF> /etc/mail/access')\n\
             FEATURE(`blocklist_recipients')\n\
             FEATURE(`no_default_msa')\n\
             DAEMON_OPTIONS(`Addr=127.0.0.1,Port={port},Name=MTA')\n\
             {features}\n\
             MAILER(`local')\n\
             MAILER(`smtp')\n\
             {mailers}\n\
             MAILER_DEFINITIONS\n\
             Mkeep, P=/usr/local/bin/keep, F=hnu8, U=vmail:vmail, L=200000000, A=keep $g $u\n",
            features = self.features,
            mailers = self.mailers,
        )
    }
}

/// What `sendmail` that is run as a command reads: it hands on to the daemon.
fn submission(circumstances: &Circumstances<'_>) -> String {
    format!(
        "include(`/usr/share/sendmail/cf/m4/cf.m4')\n\
         OSTYPE(`linux')\n\
         define(`confDOMAIN_NAME',`mail.{}.example')\n\
         define(`confTRUSTED_USERS',`uucp nncp')\n\
         define(`confPID_FILE',`/run/sendmail-client.pid')\n\
         define(`confSERVICE_SWITCH_FILE',`/etc/mail/service.switch')\n\
         define(`confEIGHT_BIT_HANDLING',`pass8')\n\
         define(`confQUEUE_LA',`1000')\n\
         define(`confREFUSE_LA',`1000')\n\
         define(`RELAY_MAILER_ARGS',`TCP $h {}')\n\
         define(`RELAY_MAILER_FLAGS',`8')\n\
         FEATURE(`nocanonify')\n\
         FEATURE(`accept_unresolvable_domains')\n\
         FEATURE(`accept_unqualified_senders')\n\
         FEATURE(`msp',`[127.0.0.1]')\n",
        circumstances.name, circumstances.port
    )
}
