//! What is told about a job, and to whom: a note to whoever asked for it, and one to the postmaster of this system.
//!
//! Both are queued durably before the job's files go, for a delivery that comes later: no MTA that hangs keeps a job. They
//! have the null sender, so that nothing is ever reported about them, and addresses in a job are a peer's words: what is no
//! address, or stands for the null sender, gets nothing.

use std::fmt::Write as _;

use crate::address::{Address, ReversePath};
use crate::config::mail::MailConfig;
use crate::name::SystemName;
use crate::report::note::{self, shown};
use crate::spool::{ExecuteFile, Execution, Spool, SpoolError};

/// What became of a job, as far as it is told.
#[derive(Debug)]
pub(super) struct Story<'a> {
    /// The job.
    pub(super) execution: &'a Execution,
    /// What it asked for.
    pub(super) file: &'a ExecuteFile,
    /// Why it failed; `None`: it did not.
    pub(super) reason: Option<&'a str>,
    /// The beginning of what the command wrote on standard error.
    pub(super) stderr: &'a [u8],
    /// The beginning of its input, where the job wants that back.
    pub(super) input: &'a [u8],
}

/// Queues the note to whoever asked, if there is one who wants it.
pub(super) fn tell_requestor(
    spool: &Spool,
    mail: &MailConfig,
    story: &Story<'_>,
) -> Result<bool, SpoolError> {
    let Some(to) = requestor(story.file, &story.execution.system, spool.nodename()) else {
        return Ok(false);
    };
    let subject = if story.reason.is_some() {
        "Execution failed"
    } else {
        "Execution succeeded"
    };
    let text = requestor_text(story);
    note::queue_note(spool, mail, to.as_bytes(), subject, &text)?;
    Ok(true)
}

/// Queues the note to the postmaster that a job failed and where its files are kept.
pub(super) fn tell_postmaster(
    spool: &Spool,
    mail: &MailConfig,
    story: &Story<'_>,
) -> Result<(), SpoolError> {
    let mut text = requestor_text(story);
    let system = &story.execution.system;
    let _ = writeln!(
        text,
        "\nIts files are kept in {}/.Failed/{system}/, {} among them.\nMoved back to X. and D. in {}/{system}/, they are tried again.",
        spool.root().display(),
        story.execution.name,
        spool.root().display(),
    );
    let subject = "UUCP execution files saved after failure";
    note::tell_postmaster(spool, mail, subject, &text)
}

/// Who is told about a job: the address of its `R` line or the user of its `U` line, as seen from here.
fn requestor(file: &ExecuteFile, system: &SystemName, local: &SystemName) -> Option<Address> {
    let named = match &file.requestor {
        Some(named) => named.clone(),
        None => file.user.as_ref()?.0.clone(),
    };
    // `R user host` is the form of some other implementations.
    let mut words = named
        .split(u8::is_ascii_whitespace)
        .filter(|w| !w.is_empty());
    let address = match (words.next()?, words.next(), words.next()) {
        (user, Some(host), None) => [host, b"!", user].concat(),
        (address, None, None) => address.to_vec(),
        _ => return None,
    };
    if ReversePath::parse(&address).map_or(true, |path| path.is_null()) {
        return None;
    }
    if system == local || address.contains(&b'@') {
        Address::parse(&address).ok()
    } else {
        Address::parse(&[system.as_bytes(), b"!", &address].concat()).ok()
    }
}

fn requestor_text(story: &Story<'_>) -> String {
    let command = command_line(story.file);
    let mut text = String::new();
    match story.reason {
        None => {
            let _ = writeln!(text, "Execution request succeeded:\n\t{command}");
        }
        Some(reason) => {
            let _ = writeln!(text, "Execution request failed:\n\t{command}\n{reason}");
        }
    }
    if let Some((user, _)) = &story.file.user {
        let (user, system) = (shown(user), &story.execution.system);
        let _ = writeln!(text, "\nIt was asked for by {user} at {system}.");
    }
    quote(&mut text, "It said on standard error:", story.stderr);
    quote(&mut text, "Its standard input began:", story.input);
    text
}

fn quote(text: &mut String, title: &str, bytes: &[u8]) {
    if bytes.is_empty() {
        return;
    }
    let _ = writeln!(text, "\n{title}");
    for line in String::from_utf8_lossy(bytes).lines() {
        let _ = writeln!(text, "\t{}", shown(line.as_bytes()));
    }
}

/// A job's command line, for the log and for people.
pub(super) fn command_line(file: &ExecuteFile) -> String {
    shown(&file.command.join(&b' '))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(user: &str, requestor: Option<&str>) -> Option<String> {
        let file = ExecuteFile {
            user: Some((user.into(), b"alpha".to_vec())),
            requestor: requestor.map(|r| r.as_bytes().to_vec()),
            ..ExecuteFile::default()
        };
        let (alpha, beta) = ("alpha".parse().unwrap(), "beta".parse().unwrap());
        requestor_string(&file, &alpha, &beta)
    }

    fn requestor_string(
        file: &ExecuteFile,
        system: &SystemName,
        local: &SystemName,
    ) -> Option<String> {
        requestor(file, system, local)
            .map(|address| String::from_utf8_lossy(address.as_bytes()).into_owned())
    }

    #[test]
    fn reports_go_to_addresses_as_seen_from_here() {
        for (user, r, expected) in [
            ("joe", None, Some("alpha!joe")),
            ("joe", Some("ann"), Some("alpha!ann")),
            ("joe", Some("gamma!ann"), Some("alpha!gamma!ann")),
            ("joe", Some("ann@x.example"), Some("ann@x.example")),
            ("joe", Some("ann gamma"), Some("alpha!gamma!ann")),
        ] {
            assert_eq!(asked(user, r).as_deref(), expected, "{user} {r:?}");
        }
    }

    #[test]
    fn nobody_is_told_at_the_null_sender_or_at_no_address() {
        for r in [
            "MAILER-DAEMON",
            "<>",
            "mailer-daemon@x.example",
            "",
            "a b c",
            "a\u{1}b",
        ] {
            assert_eq!(asked("joe", Some(r)), None, "{r:?}");
        }
    }
}
