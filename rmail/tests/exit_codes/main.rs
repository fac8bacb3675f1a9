//! rmail from outside: arguments, environment and input in; exit status, the line on standard error, and what the server,
//! the command or the Maildir got out.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "what is not as expected fails the test"
)]

mod full_disk;
mod refused;
mod rmail;
mod stopped;
mod ways;

use rmail::Rmail as _;
use suite_tests::alone::Home;
use suite_tests::sink::Server;

const MESSAGE: &str = "From bob@far.example  Fri Nov 20 10:10:47 2026\nMessage-ID: <1@far.example>\nSubject: hello\n\nbody\n.\nFrom here\n";

#[test]
fn a_message_is_handed_over_with_envelope_and_trace() {
    let server = Server::accepting();
    let site = Home::with_smtp(&server);
    let run = site.rmail(
        &[
            "alice@leaf.lab",
            "(x!y@dom)",
            "leaf!-z@dom",
            "u%h@dom",
            "other!carl",
        ],
        MESSAGE,
    );
    assert_eq!((run.status, run.stderr.as_str()), (0, ""));
    let got = server.messages().remove(0);
    assert_eq!(got.sender, "bob@far.example");
    assert_eq!(
        got.recipients,
        [
            "alice@leaf.lab",
            "x!y@dom",
            "-z@dom",
            "u%h@dom",
            "carl@other"
        ]
    );
    let (trace, rest) = got.content.split_once("Message-ID").unwrap();
    assert!(
        trace.starts_with(
            "Received: from hub (authenticated neighbour hub, user uucp)\r\n\tby leaf via UUCP"
        ),
        "{trace}"
    );
    assert_eq!(
        rest,
        ": <1@far.example>\r\nSubject: hello\r\n\r\nbody\r\n..\r\nFrom here\r\n"
    );
}

#[test]
fn null_senders_stay_null_and_missing_ones_become_null() {
    for first in [
        "From MAILER-DAEMON  Fri Nov 20 10:10:47 2026\n",
        "From hub!<> x\n",
        "From <> x\n",
        "",
    ] {
        let server = Server::accepting();
        let run = Home::with_smtp(&server)
            .rmail(&["alice@leaf.lab"], &format!("{first}Subject: x\n\nb\n"));
        assert_eq!(run.status, 0, "{first:?}: {}", run.stderr);
        assert_eq!(server.messages()[0].sender, "", "{first:?}");
    }
}

#[test]
fn words_that_look_like_options_are_recipients() {
    let server = Server::accepting();
    let site = Home::with_smtp(&server);
    let run = site.rmail(
        &[
            "-D",
            "lab",
            "-T",
            "-bp",
            "--maildir=/tmp/evil",
            "-I/tmp/evil",
            "--",
            "-x@dom",
        ],
        MESSAGE,
    );
    assert_eq!((run.status, run.stderr.as_str()), (0, ""));
    let got = server.messages().remove(0);
    let domain = |word: &str| format!("{word}@leaf.lab");
    assert_eq!(
        got.recipients,
        [
            domain("-bp"),
            domain("--maildir=/tmp/evil"),
            domain("-I/tmp/evil"),
            domain("--"),
            "-x@dom".to_owned()
        ]
    );
    assert!(got.content.starts_with("Received: from hub.lab ("));
}

#[test]
fn those_who_have_it_are_not_offered_it_again() {
    let server = Server::answering("later", "451 4.7.1 come back");
    let site = Home::with_smtp(&server);
    let run = site.rmail(
        &["alice@leaf.lab", "later@leaf.lab", "nobody@leaf.lab"],
        MESSAGE,
    );
    assert_eq!(run.status, 75);
    assert!(
        run.stderr.starts_with("4.3.0 rmail: ") && run.stderr.contains("come back"),
        "{}",
        run.stderr
    );
    server.answer(|_| None);
    let run = site.rmail(
        &["later@leaf.lab", "nobody@leaf.lab", "alice@leaf.lab"],
        MESSAGE,
    );
    assert_eq!(run.status, 0, "{}", run.stderr);
    let messages = server.messages();
    assert_eq!(
        messages[0].recipients,
        ["alice@leaf.lab", "nobody@leaf.lab"]
    );
    assert_eq!(messages[1].recipients, ["later@leaf.lab"]);
    assert_eq!(messages.len(), 2);
}

#[test]
fn a_recognisable_message_comes_once_and_others_as_often_as_sent() {
    let server = Server::accepting();
    let site = Home::with_smtp(&server);
    for _ in 0..2 {
        assert_eq!(site.rmail(&["alice@leaf.lab"], MESSAGE).status, 0);
        assert_eq!(
            site.rmail(
                &["alice@leaf.lab"],
                "From bob@x.y d\nSubject: nightly\n\nok\n"
            )
            .status,
            0
        );
    }
    assert_eq!(server.messages().len(), 3);
}

#[test]
fn a_job_that_comes_again_is_known_though_its_message_is_not() {
    let server = Server::accepting();
    let site = Home::with_smtp(&server);
    let nightly = b"From bob@x.y d\nSubject: nightly\n\nok\n";
    // The neighbour uses the job's name again, for an equal message; and then a uuxqt runs it that does not say which it is.
    for (execute_file, expected) in [
        ("1", 1),
        ("1", 1),
        ("2", 2),
        ("2", 2),
        ("1", 2),
        ("", 3),
        ("", 4),
    ] {
        let mut environment = vec![("UU_MACHINE", "hub"), ("UU_JOB", "X.hubN0001")];
        let instance = format!("X.hubN0001:{execute_file}:5.0");
        if !execute_file.is_empty() {
            environment.push(("BANGPATH_JOB", &instance));
        }
        let run = site.rmail_as(&environment, &["alice@leaf.lab"], nightly);
        assert_eq!((run.status, run.stderr.as_str()), (0, ""));
        assert_eq!(server.messages().len(), expected, "{execute_file}");
    }
}

#[test]
fn over_nncp_only_one_authenticated_block_is_taken() {
    let server = Server::accepting();
    let site = Home::with_smtp(&server);
    let small = format!("{MESSAGE}{}", "line\n".repeat(20_000));
    let large = format!("{MESSAGE}{}", "line\n".repeat(40_000));
    let nncp = [
        (
            "NNCP_SENDER",
            "7N2UDHTCSQVQW3KXQQYBBXQ7ZGHC7LYMYHJ4VKKKQN2DLJ5ZM7PQ",
        ),
        ("NNCP_SELF", "X"),
    ];
    let run = site.rmail_as(&nncp, &["alice@leaf.lab"], small.as_bytes());
    assert_eq!(run.status, 0, "{}", run.stderr);
    let run = site.rmail_as(&nncp, &["alice@leaf.lab"], large.as_bytes());
    assert_eq!(run.status, 0);
    assert!(
        run.stderr.starts_with("5.3.4 rmail: ") && run.stderr.contains("rsmtp"),
        "{}",
        run.stderr
    );
    let messages = server.messages();
    assert!(messages[0].content.contains("via NNCP"));
    assert_eq!(messages[1].recipients, ["bob@far.example"]);
}

#[test]
fn bytes_and_lengths_of_every_kind_arrive() {
    let server = Server::accepting();
    let site = Home::with_smtp(&server);
    let mut message =
        b"From \"we ird\"@far.example x\r\nSubject: \xe9\r\n\r\nbare\rcr nul\0 \xff\r\n".to_vec();
    message.extend(std::iter::repeat_n(b'x', 300_000));
    let run = site.rmail_as(
        &[("UU_MACHINE", "hub")],
        &["\u{17e}ofie@leaf.lab"],
        &message,
    );
    assert_eq!(run.status, 0, "{}", run.stderr);
    let got = server.messages().remove(0);
    assert_eq!(got.sender, "\"we ird\"@far.example");
    assert_eq!(got.recipients, ["\u{17e}ofie@leaf.lab"]);
    assert!(
        got.bytes.ends_with(
            &[
                b"bare cr nul\0 \xff\r\n",
                vec![b'x'; 300_000].as_slice(),
                b"\r\n"
            ]
            .concat()
        )
    );
}
