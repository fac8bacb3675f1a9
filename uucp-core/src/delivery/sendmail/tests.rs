use std::os::unix::fs::symlink;

use super::*;
use crate::runnable::write_program;

/// A command that notes its arguments, says something and exits.
fn fake(folder: &Path, name: &str, says: &str, code: i32) -> PathBuf {
    let command = folder.join(name);
    let log = folder.join("log");
    let script = format!(
        "#!/bin/sh\nprintf '<%s>' \"$@\" >>{log}\necho >>{log}\ncat >/dev/null\nprintf %s '{says}' >&2\nexit {code}\n",
        log = log.display()
    );
    write_program(&command, script);
    command
}

fn call(flavour: Flavour, says: &str, code: i32) -> (Outcome, String) {
    let folder = tempfile::tempdir().unwrap();
    let sendmail = Sendmail {
        command: fake(folder.path(), "sendmail", says, code),
        flavour,
        limit: Duration::from_mins(1),
    };
    let input = tempfile::tempfile().unwrap();
    let recipients = [b"-x@dom".to_vec(), b"alice".to_vec()];
    let outcome = sendmail.call(b"", &recipients, &input, folder.path());
    let log = std::fs::read_to_string(folder.path().join("log")).unwrap_or_default();
    (outcome, log)
}

#[test]
fn the_command_line_is_the_portable_one() {
    let (outcome, log) = call(Flavour::Postfix, "", 0);
    assert_eq!(outcome, Outcome::Delivered);
    assert_eq!(log, "<-i><-f><<>><--><-x@dom><alice>\n");
    let (_, log) = call(Flavour::OpenSmtpd, "", 0);
    assert_eq!(log, "<-i><-f><><--><-x@dom><alice>\n");
}

type Check = fn(&Outcome) -> bool;

#[test]
fn each_mtas_status_means_what_that_mta_means() {
    use Flavour::{Dma, Msmtp, Nullmailer, OpenSmtpd, Postfix, Unknown};
    let delivered = |o: &Outcome| matches!(o, Outcome::Delivered);
    let refused = |o: &Outcome| matches!(o, Outcome::Refused(r) if r.status.starts_with("5."));
    let deferred = |o: &Outcome| matches!(o, Outcome::Deferred(r) if r.status.starts_with("4."));
    let (delivered, refused, deferred): (Check, Check, Check) = (delivered, refused, deferred);
    for (flavour, code, says, expected) in [
        (
            Postfix,
            75,
            "sendmail: fatal: uucp(10): message file too big",
            refused,
        ),
        (
            Postfix,
            75,
            "User uucp(10) is not allowed to submit mail",
            deferred,
        ),
        (Postfix, 69, "mail system down", deferred),
        (OpenSmtpd, 75, "", delivered),
        (OpenSmtpd, 75, "send-mail: out of memory", deferred),
        (
            OpenSmtpd,
            70,
            "command failed: 550 Invalid recipient",
            refused,
        ),
        (OpenSmtpd, 70, "command failed: 421 4.3.0 full", deferred),
        (
            OpenSmtpd,
            70,
            "a|b@dom contains illegal character",
            deferred,
        ),
        (OpenSmtpd, 1, "", deferred),
        (
            Msmtp,
            65,
            "recipient address x not accepted by the server",
            refused,
        ),
        (Msmtp, 75, "", deferred),
        (Msmtp, 78, "no configuration", deferred),
        (Dma, 65, "invalid recipient", refused),
        (Dma, 64, "", deferred),
        (Unknown, 67, "", refused),
        (Unknown, 1, "", deferred),
        (Unknown, 127, "", deferred),
    ] {
        let (outcome, _) = call(flavour, says, code);
        assert!(
            expected(&outcome),
            "{flavour:?} {code} {says:?} is {outcome:?}"
        );
    }
    assert!(refused(&call(Nullmailer, "", 0).0), "nullmailer and -x");
}

#[test]
fn a_command_that_is_missing_or_hangs_is_for_now() {
    let folder = tempfile::tempdir().unwrap();
    let input = tempfile::tempfile().unwrap();
    let mut sendmail = Sendmail {
        command: folder.path().join("none"),
        flavour: Flavour::Unknown,
        limit: Duration::from_millis(50),
    };
    let outcome = sendmail.call(b"a@b", &[b"c".to_vec()], &input, folder.path());
    assert!(matches!(outcome, Outcome::Deferred(r) if r.text.contains("cannot run")));
    sendmail.command = folder.path().join("hangs");
    write_program(&sendmail.command, "#!/bin/sh\nread line </dev/zero\n");
    let outcome = sendmail.call(b"a@b", &[b"c".to_vec()], &input, folder.path());
    assert!(matches!(outcome, Outcome::Deferred(r) if r.text.contains("in time")));
}

#[test]
fn long_lists_are_split_and_some_mtas_get_one_at_a_time() {
    let mut sendmail = Sendmail {
        command: PathBuf::from("/usr/sbin/sendmail"),
        flavour: Flavour::Postfix,
        limit: Duration::from_mins(1),
    };
    let short = vec![b"a@b".to_vec(); 1200];
    let long = vec![vec![b'x'; 1000]; 100];
    let endless = vec![vec![b'x'; 100_000]; 2];
    assert_eq!(sendmail.part(&short), 500);
    assert_eq!(sendmail.part(&long), 65);
    assert_eq!(sendmail.part(&endless), 1);
    assert_eq!(sendmail.part(&[]), 0);
    for flavour in [
        Flavour::OpenSmtpd,
        Flavour::Msmtp,
        Flavour::Dma,
        Flavour::Unknown,
    ] {
        sendmail.flavour = flavour;
        assert_eq!(sendmail.part(&short), 1);
    }
}

#[test]
fn the_flavour_is_told_by_where_the_command_leads() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    for (name, flavour) in [
        ("exim4", Flavour::Exim),
        ("smtpctl", Flavour::OpenSmtpd),
        ("msmtp", Flavour::Msmtp),
        ("dma", Flavour::Dma),
        ("sendmail-mta", Flavour::Sendmail),
    ] {
        std::fs::write(path.join(name), "").unwrap();
        let link = path.join(format!("link-to-{name}"));
        symlink(path.join(name), &link).unwrap();
        assert_eq!(Flavour::of(&link), flavour);
    }
    let plain = path.join("sendmail");
    std::fs::write(&plain, "").unwrap();
    assert_eq!(Flavour::of(&plain), Flavour::Unknown);
    std::fs::write(path.join("postdrop"), "").unwrap();
    assert_eq!(Flavour::of(&plain), Flavour::Postfix);
}
