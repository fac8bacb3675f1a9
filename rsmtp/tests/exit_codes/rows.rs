//! Row by row of the table of bad input: what some receiver has lost, cut or taken for a command; and batches of thousands.

use super::*;

#[test]
fn crmail_keeps_for_later_who_is_refused_for_now() {
    let server = Server::start(|line| {
        line.contains("grey")
            .then(|| "451 4.7.1 come back".to_owned())
    });
    let site = Home::with_smtp(&server);
    let with_id =
        "From bob@far.example  Fri Nov 20 10:10:47 2026\nMessage-ID: <1@x>\nSubject: 1\n\nx\n";
    let without = "From bob@far.example  Fri Nov 20 10:10:47 2026\nSubject: 2\n\nx\n";
    for (text, job) in [(with_id, "X.hubN0001"), (without, "X.hubN0002")] {
        let environment = [("UU_MACHINE", "hub"), ("UU_JOB", job)];
        let run = site.under_name(
            "crmail",
            &environment,
            &["alice@leaf.lab", "grey@leaf.lab"],
            text.as_bytes(),
        );
        assert_eq!(run.status, 0, "{}", run.stderr);
        let expected = "4.7.1 crmail: kept for later";
        assert!(run.stderr.starts_with(expected), "{}", run.stderr);
    }
    assert_eq!(site.kept("hub"), 2);
    // The same once more, as after a lost exit status.
    let again = [("UU_MACHINE", "hub"), ("UU_JOB", "X.hubN0001")];
    let words = ["alice@leaf.lab", "grey@leaf.lab"];
    done(&site.under_name("crmail", &again, &words, with_id.as_bytes()));
    server.answer(|_| None);
    done(&site.by_hand(&["--retry", "--now"], b""));
    assert_eq!(site.kept("hub"), 0);
    let mut came: Vec<(String, String)> = server
        .messages()
        .into_iter()
        .flat_map(|message| {
            let subject = message.content.split("Subject: ").nth(1).unwrap()[..1].to_owned();
            message
                .recipients
                .into_iter()
                .map(move |to| (subject.clone(), to))
        })
        .collect();
    came.sort();
    let expected = [("1", "alice"), ("1", "grey"), ("2", "alice"), ("2", "grey")];
    let expected = expected.map(|(subject, name)| (subject.to_owned(), format!("{name}@leaf.lab")));
    assert_eq!(came, expected);
}

#[test]
fn what_its_sender_allows_no_more_time_is_returned() {
    let server = Server::accepting();
    let site = Home::with_smtp(&server);
    let message = |id: &str, by: &str| {
        format!(
            "MAIL FROM:<bob@far.example> XBPID={id} BY={by}\nRCPT TO:<alice@leaf.lab>\nDATA\nSubject: {id}\n\nx\n.\n"
        )
    };
    let batch = [
        message("1", "-5;R"),
        message("2", "-5;N"),
        message("3", "60;R"),
    ];
    let run = site.rsmtp(batch.concat().as_bytes());
    assert_eq!(run.status, 0);
    assert!(run.stderr.starts_with("5.4.7 "), "{}", run.stderr);
    assert_eq!(subjects(&server).len(), 3, "two messages and a report");
    let report = server.messages().into_iter().find(|m| m.sender.is_empty());
    assert!(report.unwrap().content.contains("Status: 5.4.7"));
}

#[test]
fn ten_thousand_messages_and_ten_thousand_recipients_come_once() {
    const MANY: usize = 10_000;
    let server = Server::accepting();
    // In memory, where there is such a place: there are ten thousand records, and this is not about the disk.
    let state = tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir());
    let state = state.unwrap();
    let site = Home::with_mail_toml(&format!(
        "state-directory = \"{}\"\ndomain = \"leaf.lab\"\n[delivery]\nsmtp = \"{}\"\n",
        state.path().display(),
        server.address()
    ));
    let batch: String = (0..MANY)
        .map(|n| message("bob@far.example", &["alice@leaf.lab"], &n.to_string()))
        .collect();
    for _ in 0..2 {
        done(&site.rsmtp(framed(&batch).as_bytes()));
        assert_eq!(server.messages().len(), MANY);
    }
    let all: Vec<String> = (0..MANY).map(|n| format!("u{n:05}@leaf.lab")).collect();
    let to: Vec<&str> = all.iter().map(String::as_str).collect();
    for _ in 0..2 {
        done(&site.rsmtp(message("bob@far.example", &to, "all").as_bytes()));
    }
    let mut came: Vec<String> = server.messages()[MANY..]
        .iter()
        .flat_map(|message| message.recipients.clone())
        .collect();
    came.sort();
    assert_eq!(came, all);
}

/// Bytes that some receiver has lost, folded or taken for a command.
#[test]
fn every_byte_of_a_body_comes_as_it_went() {
    let server = Server::accepting();
    let site = Home::with_smtp(&server);
    let bodies: [Vec<u8>; 6] = [
        b"bare\rcr\r.\rx\n".to_vec(),
        b"nul\0inside\n".to_vec(),
        b"\xe4\xf6\xfc \xff\xfe\n".to_vec(),
        [&b"x".repeat(2000)[..], b"\n"].concat(),
        [&b"y".repeat(100_000)[..], b"\n"].concat(),
        b"From here\n>From there\nQUIT\nRSET\n\n\n".to_vec(),
    ];
    let header = |n: usize| format!("Message-ID: <{n}@x>\nSubject: {n}\n\n").into_bytes();
    let mut batch = Vec::new();
    for (number, body) in bodies.iter().enumerate() {
        batch.extend_from_slice(b"MAIL FROM:<bob@far.example>\nRCPT TO:<alice@leaf.lab>\nDATA\n");
        batch.extend(header(number));
        batch.extend_from_slice(body);
        batch.extend_from_slice(b".\n");
    }
    done(&site.rsmtp(&batch));
    let messages = server.messages();
    assert_eq!(messages.len(), bodies.len());
    for (number, body) in bodies.iter().enumerate() {
        let whole = [header(number), body.clone()].concat();
        let mut wire = Vec::new();
        for byte in whole {
            match byte {
                b'\n' => wire.extend_from_slice(b"\r\n"),
                // No server takes one that ends no line; Postfix makes it a blank, too.
                b'\r' => wire.push(b' '),
                other => wire.push(other),
            }
        }
        let came = messages.iter().filter(|m| m.bytes.ends_with(&wire));
        assert_eq!(came.count(), 1, "body {number}");
    }
}

#[test]
fn parameters_and_what_follows_quit_cost_nothing() {
    let server = Server::accepting();
    let site = Home::with_smtp(&server);
    let with = |id: &str, mail: &str, rcpt: &str| {
        format!(
            "MAIL FROM:<{mail}\nRCPT TO:<{rcpt}\nDATA\nMessage-ID: <{id}@x>\nSubject: {id}\n\nx\n.\n"
        )
    };
    let batch = [
        "EHLO hub\n",
        &with(
            "1",
            "bob@far.example> SIZE=200 BODY=8BITMIME",
            "alice@leaf.lab> NOTIFY=NEVER",
        ),
        &with("2", "\u{17e}ofie@far.example> SMTPUTF8", "alice@leaf.lab>"),
        &with(
            "3",
            "bob@far.example> X-UNKNOWN=1",
            "alice@leaf.lab> ORCPT=junk",
        ),
        "QUIT\n",
        &with("4", "bob@far.example>", "alice@leaf.lab>"),
    ];
    let run = site.rsmtp(batch.concat().as_bytes());
    assert_eq!(run.status, 0, "{}", run.stderr);
    assert_eq!(subjects(&server), ["1", "2", "3", "4"]);
}

#[test]
fn a_batch_that_ends_within_an_envelope_is_told_of() {
    let server = Server::accepting();
    let site = Home::with_smtp(&server);
    let batch = format!(
        "{}MAIL FROM:<bob@far.example>\nRCPT TO:<alice@leaf.lab>\n",
        three()
    );
    let run = site.rsmtp(batch.as_bytes());
    assert_eq!(run.status, 75, "{}", run.stderr);
    assert!(run.stderr.contains("cut"), "{}", run.stderr);
    site.append_mail_toml("[execution]\nage-limit = 0\n");
    let run = site.rsmtp(batch.as_bytes());
    assert!(run.stderr.contains("set aside"), "{}", run.stderr);
    assert_eq!(subjects(&server), ["1", "2", "3"]);
    assert_eq!(site.contents("spool/.Bangpath/local-mail").len(), 1);
}

#[test]
fn megabytes_of_header_come_whole() {
    let server = Server::accepting();
    let site = Home::with_smtp(&server);
    let header = format!("X-Filler: {}\n", "f".repeat(900)).repeat(3000);
    let batch = format!(
        "MAIL FROM:<bob@far.example>\nRCPT TO:<alice@leaf.lab>\nDATA\nSubject: 1\n{header}\nx\n.\n{}",
        message("bob@far.example", &["alice@leaf.lab"], "2")
    );
    done(&site.rsmtp(batch.as_bytes()));
    assert_eq!(subjects(&server), ["1", "2"]);
    let large = server
        .messages()
        .into_iter()
        .find(|m| m.bytes.len() > 2_700_000);
    assert_eq!(large.unwrap().content.matches("X-Filler").count(), 3000);
}
