//! Batches that come again, whole or cut.

use super::*;

#[test]
fn a_message_comes_once_however_often_its_batch_comes() {
    let server = Server::accepting();
    let site = Home::with_smtp(&server);
    for job in ["X.hubN0001", "X.hubN0001", "X.hubN0002"] {
        let environment = [("UU_MACHINE", "hub"), ("UU_JOB", job)];
        done(&site.rsmtp_as(&environment, &[], three().as_bytes()));
    }
    // In another order, in another frame, with a fourth, one of them twice.
    let other = framed(&format!(
        "{}{}{}",
        message("bob@far.example", &["alice@leaf.lab"], "4"),
        message("bob@far.example", &["alice@leaf.lab"], "4"),
        message("bob@far.example", &["alice@leaf.lab"], "2")
    ));
    done(&site.rsmtp(other.as_bytes()));
    assert_eq!(subjects(&server), ["1", "2", "3", "4"]);
    // Of another neighbour it is another message; so it is with another envelope.
    let nncp = [("NNCP_SENDER", "ABC"), ("NNCP_SELF", "X")];
    done(&site.rsmtp_as(&nncp, &[], other.as_bytes()));
    let carl = message("carl@far.example", &["alice@leaf.lab"], "4");
    done(&site.rsmtp(carl.as_bytes()));
    assert_eq!(subjects(&server), ["1", "2", "2", "3", "4", "4", "4"]);
}

#[test]
fn the_senders_own_id_is_what_makes_a_message_the_same() {
    let server = Server::accepting();
    let site = Home::with_smtp(&server);
    let batch = |id: &str, recipient: &str| {
        format!(
            "EHLO hub\nNOOP bangpath\nMAIL FROM:<bob@far.example> XBPID={id}\nRCPT TO:<{recipient}>\nDATA\nSubject: {id}\n\nx\n.\nQUIT\n"
        )
    };
    for (id, recipient) in [("1", "a"), ("1", "a"), ("2", "a"), ("1", "b"), ("1", "a")] {
        let recipient = format!("{recipient}@leaf.lab");
        done(&site.rsmtp(batch(id, &recipient).as_bytes()));
    }
    let got: Vec<_> = server
        .messages()
        .into_iter()
        .map(|m| m.recipients)
        .collect();
    assert_eq!(got, [["a@leaf.lab"], ["a@leaf.lab"], ["b@leaf.lab"]]);
}

#[test]
fn a_batch_that_its_carrier_tells_from_others_comes_once_though_it_was_done() {
    let nightly =
        "MAIL FROM:<bob@far.example>\nRCPT TO:<alice@leaf.lab>\nDATA\nSubject: nightly\n\nok\n.\n";
    let server = Server::accepting();
    let site = Home::with_smtp(&server);
    for (execute_file, expected) in [("1", 2), ("1", 2), ("2", 4), ("1", 4)] {
        let instance = format!("X.hubN0001:{execute_file}:5.0");
        let environment = [
            ("UU_MACHINE", "hub"),
            ("UU_JOB", "X.hubN0001"),
            ("BANGPATH_JOB", instance.as_str()),
        ];
        done(&site.rsmtp_as(&environment, &[], nightly.repeat(2).as_bytes()));
        assert_eq!(subjects(&server).len(), expected, "{execute_file}");
    }
}

#[test]
fn equal_messages_that_nothing_tells_apart_come_as_often_as_sent() {
    let nightly =
        "MAIL FROM:<bob@far.example>\nRCPT TO:<alice@leaf.lab>\nDATA\nSubject: nightly\n\nok\n.\n";
    let server = Server::accepting();
    let site = Home::with_smtp(&server);
    done(&site.rsmtp(nightly.repeat(2).as_bytes()));
    done(&site.rsmtp(nightly.as_bytes()));
    assert_eq!(subjects(&server).len(), 3);
    // But those of an input that was not done are known when it comes again, longer.
    let cut = format!("{nightly}{nightly}MAIL FROM:<bob");
    let nncp = [("NNCP_SENDER", "ABC"), ("NNCP_SELF", "X")];
    for _ in 0..2 {
        assert_eq!(site.rsmtp_as(&nncp, &[], cut.as_bytes()).status, 75);
    }
    assert_eq!(subjects(&server).len(), 5);
    done(&site.rsmtp_as(&nncp, &[], nightly.repeat(3).as_bytes()));
    assert_eq!(subjects(&server).len(), 6);
}

#[test]
fn a_batch_that_was_cut_comes_again_whole_and_is_not_redone() {
    let whole = framed(&three());
    let between = whole.find("MAIL FROM").unwrap() + three().len() / 3;
    let inside = between + 100;
    for cut in [between, inside] {
        let server = Server::accepting();
        let site = Home::with_smtp(&server);
        for _ in 0..3 {
            let nncp = [("NNCP_SENDER", "ABC"), ("NNCP_SELF", "X")];
            let run = site.rsmtp_as(&nncp, &[], &whole.as_bytes()[..cut]);
            assert_eq!(run.status, 75);
            assert!(
                run.stderr.starts_with("4.3.0 rsmtp: line ") && run.stderr.contains("cut"),
                "{}",
                run.stderr
            );
            assert_eq!(subjects(&server), ["1"]);
        }
        let nncp = [("NNCP_SENDER", "ABC"), ("NNCP_SELF", "X")];
        done(&site.rsmtp_as(&nncp, &[], whole.as_bytes()));
        assert_eq!(subjects(&server), ["1", "2", "3"]);
    }
}

#[test]
fn a_batch_that_stays_cut_is_set_aside_in_the_end() {
    let server = Server::accepting();
    let site = Home::with_smtp(&server);
    site.append_mail_toml("[execution]\nage-limit = 0\n");
    let whole = framed(&three());
    let run = site.rsmtp(&whole.as_bytes()[..whole.len() - 5]);
    assert_eq!(run.status, 0);
    assert!(
        run.stderr.contains("set aside") && run.stderr.contains("no QUIT"),
        "{}",
        run.stderr
    );
    assert_eq!(subjects(&server), ["1", "2", "3"]);
    assert_eq!(site.contents("spool/.Bangpath/local-mail").len(), 1);
}

#[test]
fn compressed_data_that_was_cut_hands_over_nothing() {
    let server = Server::accepting();
    let site = Home::with_smtp(&server);
    for how in [
        Compression::Gzip,
        Compression::Zstd,
        Compression::Xz,
        Compression::Bzip2,
    ] {
        let data = compressed(&framed(&three()), how);
        for cut in [1, data.len() / 2, data.len() - 1] {
            let run = site.rsmtp(&data[..cut]);
            assert_eq!(run.status, 75, "{how} {cut}: {}", run.stderr);
        }
    }
    assert_eq!(server.messages().len(), 0);
}
