use std::path::Path;

use super::super::offer::{RecipientWishes, Wishes};
use super::super::smtp::{AtEase, Recipient};
use super::*;
use crate::runnable::write_program;

/// A batch into a shell script; `$heard` is what the script reads.
fn batch(folder: &Path, script: &str) -> Batch {
    let command = folder.join("exim4");
    let head = "#!/bin/sh\n[ \"$*\" = -bS ] || exit 64\ncd \"$(dirname \"$0\")\"\n";
    write_program(&command, format!("{head}{READER}{script}"));
    Batch::new(command, Duration::from_mins(1), folder.to_owned())
}

/// `next` reads a line, counts it, keeps it; `fault REPLY` ends the batch as Exim does.
const READER: &str = r#"
lines=0 taken=0
next() {
    IFS= read -r line || exit 0
    lines=$((lines + 1)); printf '%s\n' "$line" >>heard
}
fault() {
    {
        echo 'An error was detected while processing a file of BSMTP input.'
        printf 'The error message was:\n\n  %s\n\n' "$1"
        printf 'The SMTP transaction started in line %s.\nThe error was detected in line %s.\n' "$start" "$lines"
        printf 'The SMTP command at fault was:\n\n   %s\n\n' "$line"
        [ $taken = 0 ] || echo "$taken previous messages were successfully processed."
        echo 'The rest of the batch was abandoned.'
    } >&2
    printf '%s\nTransaction started in line %s\nError detected in line %s\n' "$1" "$start" "$lines"
    exit 1
}
"#;

/// An Exim that takes everything but a recipient with a blank, a sender `bad@x`, and a body line `too big`.
const EXIM: &str = r"
while start=$lines; next; do
    case $line in
        *bad@x*) fault '550 sender refused' ;;
        RCPT*' y@x'*) fault '501 malformed' ;;
        DATA*)
            while next; do
                case $line in
                    .?) break ;;
                    'too big'*) fault '552 Message size exceeds maximum permitted' ;;
                    'disk full'*) fault '452 no space' ;;
                esac
            done
            taken=$((taken + 1)) ;;
    esac
done
";

fn offer(batch: &mut Batch, sender: &str, recipients: &[&str], content: &[u8]) -> Vec<String> {
    let message = Message::from_bytes(content.to_vec());
    let (wishes, none) = (Wishes::default(), RecipientWishes::default());
    let recipients: Vec<Recipient<'_>> = recipients
        .iter()
        .map(|recipient| Recipient {
            address: recipient.as_bytes().to_vec(),
            wishes: &none,
        })
        .collect();
    let transaction = Transaction {
        sender: sender.as_bytes(),
        recipients: &recipients,
        wishes: &wishes,
        message: &message,
    };
    match batch.transact(&transaction, &mut AtEase) {
        Transacted::NoSession(reply) => vec![format!("no session {reply}")],
        Transacted::Outcomes { outcomes, .. } => outcomes
            .into_iter()
            .map(|outcome| match outcome {
                None => "again".to_owned(),
                Some(Outcome::Delivered) => "delivered".to_owned(),
                Some(Outcome::Refused(reply)) => format!("refused {reply}"),
                Some(Outcome::Deferred(reply)) => format!("deferred {reply}"),
            })
            .collect(),
    }
}

#[test]
fn messages_go_into_one_run_each_in_a_clean_transaction() {
    let folder = tempfile::tempdir().unwrap();
    let mut batch = batch(folder.path(), EXIM);
    let large = b"0123456789abcdef\n".repeat(3000);
    assert_eq!(
        offer(&mut batch, "a@x", &["b@x", "c@x"], b".\nx\n"),
        ["delivered"; 2]
    );
    assert_eq!(offer(&mut batch, "", &["-d@x"], &large), ["delivered"]);
    drop(batch);
    let heard = std::fs::read_to_string(folder.path().join("heard")).unwrap();
    let first =
        "MAIL FROM:<a@x>\r\nRCPT TO:<b@x>\r\nRCPT TO:<c@x>\r\nDATA\r\n..\r\nx\r\n.\r\nRSET\r\n";
    let second = "MAIL FROM:<>\r\nRCPT TO:<-d@x>\r\nDATA\r\n0123456789abcdef\r\n";
    assert!(heard.starts_with(&format!("{first}{second}")), "{heard}");
    assert!(heard.ends_with("0123456789abcdef\r\n.\r\nRSET\r\n"));
}

#[test]
fn a_message_whose_end_was_read_is_in_doubt_until_the_program_comes_back() {
    let folder = tempfile::tempdir().unwrap();
    for (script, expected) in [
        (
            "while next; do case $line in .?) exit 9 ;; esac; done\n",
            "deferred",
        ),
        (
            "while next; do case $line in DATA*) exit 9 ;; esac; done\n",
            "no session",
        ),
        (
            "while next; do case $line in RSET*) exit 9 ;; esac; done\n",
            "delivered",
        ),
    ] {
        let large = b"0123456789abcdef\n".repeat(600);
        let outcome = offer(&mut batch(folder.path(), script), "a@x", &["b@x"], &large).remove(0);
        assert!(outcome.starts_with(expected), "{script}: {outcome}");
    }
}

#[test]
fn what_offends_is_treated_alone_and_the_rest_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let mut batch = batch(folder.path(), EXIM);
    for _ in 0..2 {
        assert_eq!(offer(&mut batch, "a@x", &["b@x"], b"x\n"), ["delivered"]);
        assert_eq!(
            offer(&mut batch, "a@x", &["b@x", "x y@x", "c@x"], b"x\n"),
            ["again", "refused 501 malformed", "again"]
        );
        assert_eq!(
            offer(&mut batch, "a@x", &["b@x", "c@x"], b"x\n"),
            ["delivered"; 2]
        );
        assert_eq!(
            offer(&mut batch, "bad@x", &["b@x", "c@x"], b"x\n"),
            ["refused 550 sender refused"; 2]
        );
        assert_eq!(
            offer(&mut batch, "a@x", &["b@x"], b"one\ntoo big\n"),
            ["refused 552 Message size exceeds maximum permitted"]
        );
        assert_eq!(
            offer(&mut batch, "a@x", &["b@x"], b"disk full\n"),
            ["deferred 452 no space"]
        );
    }
}

#[test]
fn an_end_behind_a_message_leaves_it_delivered() {
    // Exim counts commands that are no mail, and has enough of them at RSET.
    let script = "while start=$lines; next; do\n case $line in .?) taken=1 ;; RSET*) fault '500 Command unrecognized' ;; esac\ndone\n";
    let folder = tempfile::tempdir().unwrap();
    let mut batch = batch(folder.path(), script);
    for expected in ["delivered", "again", "delivered", "again"] {
        assert_eq!(offer(&mut batch, "a@x", &["b@x"], b"x\n"), [expected]);
    }
}

#[test]
fn a_program_without_the_option_has_taken_nothing() {
    for (script, expected) in [
        (
            "echo 'Invalid operation mode S' >&2; exit 64\n",
            "ended with status 64: Invalid operation mode S",
        ),
        (
            "echo 'exim: insufficient disk space' >&2; exit 1\n",
            "ended with status 1: exim: insufficient disk space",
        ),
        ("kill -9 $$\n", "was killed by signal 9: no reason given"),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let outcome = offer(&mut batch(folder.path(), script), "a@x", &["b@x"], b"x\n").remove(0);
        assert!(
            outcome.starts_with("no session") && outcome.ends_with(expected),
            "{outcome}"
        );
    }
    let mut missing = Batch::new(
        "/nonexistent/exim4".into(),
        Duration::from_mins(1),
        "/tmp".into(),
    );
    assert!(offer(&mut missing, "a@x", &["b@x"], b"x\n")[0].contains("cannot be run"));
}

#[test]
fn a_program_that_died_between_messages_is_started_again() {
    let script = "while next; do case $line in RSET*) exit 3 ;; esac; done\n";
    let folder = tempfile::tempdir().unwrap();
    let mut batch = batch(folder.path(), script);
    for expected in ["delivered", "again", "delivered"] {
        assert_eq!(offer(&mut batch, "a@x", &["b@x"], b"x\n"), [expected]);
    }
}

#[test]
fn a_program_that_does_not_read_is_killed_with_its_children() {
    let folder = tempfile::tempdir().unwrap();
    let mut batch = batch(folder.path(), "sleep 1000 & wait\n");
    batch.limit = Duration::from_millis(50);
    let outcome = offer(&mut batch, "a@x", &["b@x"], b"x\n").remove(0);
    assert!(
        outcome.starts_with("deferred") && outcome.contains("did not go on in time"),
        "{outcome}"
    );
}
