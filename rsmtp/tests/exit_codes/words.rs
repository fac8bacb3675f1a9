//! The words behind the command: a person's, a peer's, and those of crmail.

use super::*;

#[test]
fn what_a_peer_writes_behind_the_command_counts_for_nothing() {
    let server = Server::accepting();
    let site = Home::with_smtp(&server);
    let words = [
        "--dry-run",
        "--maildir=/nonexistent",
        "-I",
        "/nonexistent",
        "/nonexistent",
    ];
    done(&site.rsmtp_as(&UUXQT, &words, three().as_bytes()));
    assert_eq!(server.messages().len(), 3);
    let nncp = [("NNCP_SENDER", "ABC")];
    done(&site.rsmtp_as(&nncp, &["--list"], three().as_bytes()));
    assert_eq!(server.messages().len(), 6);
    assert!(server.messages()[5].content.contains("via NNCP"));
}

#[test]
fn a_look_changes_nothing() {
    let server = Server::accepting();
    let site = Home::with_smtp(&server);
    let batch = framed(&format!("{}BOGUS\n", three()));
    let data = compressed(&batch, Compression::Xz);
    let run = site.by_hand(&["--list"], &data);
    assert_eq!(run.status, 0, "{}", run.stderr);
    let lines: Vec<&str> = run.stdout.lines().collect();
    assert_eq!(lines.len(), 5, "{}", run.stdout);
    assert!(lines[0].ends_with(" bob@far.example -> alice@leaf.lab"));
    assert!(lines[3].contains("BOGUS"));
    assert_eq!(lines[4], "xz, 3 messages, whole");
    let read = |arguments: &[&str], batch: &[u8]| -> serde_json::Value {
        let json = site.by_hand(arguments, batch).stdout;
        serde_json::from_str(&json).unwrap_or_else(|error| panic!("{error}: {json}"))
    };
    let whole = read(&["--list", "--json"], &data);
    assert_eq!(whole["format"], "xz");
    assert_eq!(whole["messages"].as_array().unwrap().len(), 3);
    let first = whole["messages"][0].as_object().unwrap();
    assert_eq!(first["sender"], "bob@far.example");
    assert_eq!(first["recipients"], serde_json::json!(["alice@leaf.lab"]));
    assert_eq!(first["refused"], serde_json::json!([]));
    assert!(first["bytes"].as_u64().unwrap() > 0 && !first.contains_key("fate"));
    let faults = whole["faults"].as_array().unwrap();
    assert!(faults.len() == 1 && faults[0].as_str().unwrap().contains("BOGUS"));
    assert!(whole.get("cut").is_none());
    let cut = read(&["--dry-run", "--json"], &data[..data.len() - 1]);
    let why = cut["cut"].as_str().unwrap();
    assert!(why.starts_with("the xz data is cut"), "{why}");
    assert_eq!(cut["messages"], serde_json::json!([]));
    let fates = read(&["--dry-run", "--json"], batch.as_bytes());
    assert_eq!(fates["messages"][2]["fate"], "goes to 1 recipient");
    done(&site.by_hand(
        &[],
        message("bob@far.example", &["alice@leaf.lab"], "1").as_bytes(),
    ));
    let run = site.by_hand(&["--dry-run"], batch.as_bytes());
    let fates: Vec<bool> = run
        .stdout
        .lines()
        .map(|l| l.ends_with("all have it"))
        .collect();
    assert_eq!(fates, [true, false, false, false, false], "{}", run.stdout);
    assert!(run.stdout.contains("; goes to 1 recipient\n"));
    assert_eq!(server.messages().len(), 1);
    assert!(!site.path("spool/.Mail/kept").exists() && !site.path("spool/.Mail/aside").exists());
}

#[test]
fn a_look_needs_no_spool_and_takes_several_files() {
    let site =
        Home::with_mail_toml("[delivery]\nmethod = \"maildir\"\nmaildir = \"/nonexistent/%u\"\n");
    // Nobody can make anything there.
    let config = site.path("etc/config");
    let text = std::fs::read_to_string(&config).unwrap();
    let spool = format!("spool {}", site.path("spool").display());
    std::fs::write(&config, text.replace(&spool, "spool /proc/none")).unwrap();
    let write = |name: &str, content: &str| {
        std::fs::write(site.path(name), content).unwrap();
        site.path(name).display().to_string()
    };
    let one = write("one", &message("bob@far.example", &["alice@leaf.lab"], "1"));
    let state = write("one.retry", "1 345 -\n");
    let three = write("three", &three());
    for look in ["--list", "--dry-run"] {
        let run = site.by_hand(&[look, &one], b"");
        assert_eq!((run.status, run.stderr.as_str()), (0, ""));
        assert!(
            run.stdout.ends_with("plain, 1 message, whole\n"),
            "{}",
            run.stdout
        );
        let run = site.by_hand(&[look], self::three().as_bytes());
        assert!(
            run.stdout.ends_with("plain, 3 messages, whole\n"),
            "{run:?}"
        );
        // What is beside a kept message is no message.
        let run = site.by_hand(&[look, &one, &state], b"");
        assert!(
            run.status == 0 && run.stdout.ends_with("1 message, whole\n"),
            "{run:?}"
        );
        let run = site.by_hand(&[look, &one, &state, &three], b"");
        assert_eq!(run.stdout.lines().count(), 8, "{run:?}");
        assert!(run.stdout.starts_with(&format!("{one}:\n")), "{run:?}");
        let run = site.by_hand(&[look, "--json", &one, &three], b"");
        let json: serde_json::Value = serde_json::from_str(&run.stdout).unwrap();
        assert_eq!(json[1]["file"], three.as_str());
        assert_eq!(json[1]["messages"].as_array().unwrap().len(), 3);
    }
    for words in [&["--list", &state][..], &[&state]] {
        let run = site.by_hand(words, b"");
        assert_eq!(run.status, 75);
        let told = format!("one.retry is no batch: it says when {one} is offered again");
        assert!(run.stderr.contains(&told), "{run:?}");
    }
    let run = site.by_hand(&[&one, &three], b"");
    assert!(
        run.status == 75 && run.stderr.contains("2 files are too many"),
        "{run:?}"
    );
}

#[test]
fn a_file_may_be_named_and_a_wrong_option_is_75() {
    let server = Server::accepting();
    let site = Home::with_smtp(&server);
    let file = site.path("batch");
    std::fs::write(&file, three()).unwrap();
    done(&site.by_hand(&[file.to_str().unwrap()], b""));
    assert_eq!(server.messages().len(), 3);
    for arguments in [&["--bogus"][..], &["/nonexistent"], &["--now"]] {
        let run = site.by_hand(arguments, b"");
        assert_eq!(run.status, 75, "{arguments:?}");
        assert!(run.stderr.starts_with("4.3."), "{}", run.stderr);
    }
}

#[test]
fn crmail_takes_one_compressed_message_with_recipients_as_words() {
    let server = Server::accepting();
    let site = Home::with_smtp(&server);
    let text = format!(
        "From bob@far.example  Fri Nov 20 10:10:47 2026\nMessage-ID: <1@x>\nSubject: 1\n\n{}",
        "line\n".repeat(40_000)
    );
    let data = compressed(&text, Compression::Xz);
    let nncp = [("NNCP_SENDER", "ABC")];
    let words = ["(alice@leaf.lab)", "--list", "-x@dom"];
    // Larger than a block of NNCP's; but whoever cuts it is found out.
    for _ in 0..2 {
        done(&site.under_name("crmail", &nncp, &words, &data));
    }
    let messages = server.messages();
    assert_eq!(messages.len(), 1);
    assert_eq!(messages[0].sender, "bob@far.example");
    assert_eq!(
        messages[0].recipients,
        ["alice@leaf.lab", "--list@leaf.lab", "-x@dom"]
    );
    let run = site.under_name("crmail", &nncp, &words, &data[..data.len() - 9]);
    assert_eq!(run.status, 75);
    assert!(
        run.stderr.starts_with("4.3.0 crmail: the xz data is cut"),
        "{}",
        run.stderr
    );
}
