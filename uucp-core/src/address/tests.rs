use jiff::civil::date;
use jiff::tz::TimeZone;
use proptest::prelude::*;

use super::*;
use crate::name::SystemName;

fn sender_of(message: &str, neighbour: Option<&str>) -> String {
    let neighbour = neighbour.map(|n| n.parse::<SystemName>().unwrap());
    FromLines::parse(message.as_bytes())
        .sender(neighbour.as_ref())
        .map_or_else(|e| format!("error: {e}"), |s| s.to_string())
}

/// What each peer writes, and what the existing rmails make of it where they do it right.
#[test]
fn every_from_line_of_the_field_names_its_sender() {
    let date = "Fri Nov 20 10:10:47 2026";
    let cases = [
        ("From bob@far.example  {d}\n", "bob@far.example"),
        ("From bob@smx.lab {d}\n", "bob@smx.lab"),
        ("From bob@far.example {d} +0100\n", "bob@far.example"),
        (
            "From bob@far.example Fri Nov 20 10:10 CET 2026\n",
            "bob@far.example",
        ),
        ("From bob {d} remote from siteb\n", "siteb!bob"),
        (
            "From bob@far.example {d} remote from siteb\n",
            "bob@far.example",
        ),
        (
            "From siteb!bob {d} remote from sitea\n>From bob {d} remote from siteb\n>From carl {d} remote from sitec\n",
            "sitea!siteb!sitec!carl",
        ),
        ("From siteb!bob {d} remote from sitea\n", "sitea!siteb!bob"),
        ("From a!b!c!user {d}\n", "hub!a!b!c!user"),
        ("From hub!a!user {d}\n", "hub!a!user"),
        ("From far.example!bob {d}\n", "far.example!bob"),
        ("From bob {d}\n", "hub!bob"),
        ("", "<>"),
        ("Subject: x\n", "<>"),
        ("From <>  {d}\n", "<>"),
        ("From MAILER-DAEMON  {d}\n", "<>"),
        ("From MAILER-DAEMON@smx.lab {d}\n", "<>"),
        ("From mailer-daemon {d} remote from hub\n", "<>"),
        ("From hub!MAILER-DAEMON {d}\n", "<>"),
        ("From hub!<> {d}\n", "<>"),
        ("From hub! {d}\n", "<>"),
        ("From  {d} remote from hub\n", "<>"),
        ("From {d}\n", "<>"),
        (
            "From Fri, 20 Nov 2026 10:10:47 +0000 remote from hub\n",
            "<>",
        ),
        ("From \n", "<>"),
        ("From <bob@far.example> {d}\n", "bob@far.example"),
        (
            "From <@relay.example:bob@far.example> {d}\n",
            "bob@far.example",
        ),
        ("From user%host@far.example {d}\n", "user%host@far.example"),
        (
            "From \"we ird (x) \\\"y\"@far.example  {d}\n",
            "\"we ird (x) \\\"y\"@far.example",
        ),
        ("From -evil@far.example {d}\n", "-evil@far.example"),
        ("From -oQ/tmp {d} remote from siteb\n", "siteb!-oQ/tmp"),
        ("From bob@far.example\n", "bob@far.example"),
        ("From bob@far.example", "bob@far.example"),
        (">From bob@far.example {d}\n", "bob@far.example"),
        (
            ">From bob {d} remote from siteb\r\nSubject: x\r\n",
            "siteb!bob",
        ),
        ("From bob@far.example {d} remote from\n", "bob@far.example"),
        ("From Fri {d} remote from siteb\n", "siteb!Fri"),
        (
            "From \u{17e}ofie@far.example {d}\n",
            "\u{17e}ofie@far.example",
        ),
        (
            "From x@y {d}\n>From carl@far.example {d} remote from sitec\n",
            "carl@far.example",
        ),
        ("From : bob@far.example\n", "<>"),
        ("From: bob@far.example\n", "<>"),
        ("from bob@far.example {d}\n", "<>"),
    ];
    for (text, expected) in cases {
        let text = text.replace("{d}", date);
        assert_eq!(sender_of(&text, Some("hub")), expected, "{text:?}");
    }
    assert_eq!(sender_of("From bob {d}\n", None), "bob");
}

#[test]
fn only_the_lines_at_the_head_are_taken_off() {
    let message = b"From a@b x\n>From c@d y\nSubject: s\n\nFrom here on\n";
    let lines = FromLines::parse(message);
    assert!(message[lines.length()..].starts_with(b"Subject"));
    assert_eq!(FromLines::parse(b"\nFrom a@b x\n").length(), 0);
}

#[test]
fn a_sender_of_kilobytes_is_an_error_not_a_cut_address() {
    let line = format!("From {}@far.example x\n", "a".repeat(3000));
    assert!(sender_of(&line, None).starts_with("error: an address of 3012 bytes"));
}

#[test]
fn null_senders_have_many_faces() {
    for null in [
        "",
        "<>",
        "MAILER-DAEMON",
        "<MAILER-DAEMON>",
        "MAILER-DAEMON@x.y",
        "host!MAILER-DAEMON",
        "a!b!mailer-daemon@x",
        "host!<>",
        "host!",
    ] {
        assert!(
            ReversePath::parse(null.as_bytes()).unwrap().is_null(),
            "{null:?}"
        );
    }
    for other in ["a", "MAILER-DAEMONS", "x@MAILER-DAEMON", "\"a!\"@x"] {
        assert!(
            !ReversePath::parse(other.as_bytes()).unwrap().is_null(),
            "{other:?}"
        );
    }
}

#[test]
fn addresses_are_taken_apart_outside_their_quotes() {
    let address = Address::parse(b"<\"a@b c\"@x.y>").unwrap();
    assert_eq!(address.split(), Some((&b"\"a@b c\""[..], &b"x.y"[..])));
    assert_eq!(
        Address::parse(b"<@a,@b:u@dom>").unwrap().as_bytes(),
        b"u@dom"
    );
    for bad in [
        &b""[..],
        b"<>",
        b"a\nb@x",
        b"a\rb",
        b"a\0b",
        b"\"a@x",
        b"<a@x",
        b"a>b@x",
        b"a@x\\",
    ] {
        assert!(Address::parse(bad).is_err(), "{}", bad.escape_ascii());
    }
}

#[test]
fn paths_become_mailboxes_as_postfix_makes_them() {
    for (path, mailbox) in [
        ("siteb!bob", "bob@siteb"),
        ("a!b!c!user", "b!c!user@a"),
        ("x!y@dom", "x!y@dom"),
        ("user%host@dom", "user%host@dom"),
        ("user%host", "user@host"),
        ("u%a%b", "u%a@b"),
        ("a!u%h", "u%h@a"),
        ("alice", "alice@leaf.lab"),
        ("\"a%b\"", "\"a%b\"@leaf.lab"),
        ("%", "%@leaf.lab"),
    ] {
        let address = Address::parse(path.as_bytes()).unwrap();
        assert_eq!(address.to_mailbox(Some("leaf.lab")).to_string(), mailbox);
    }
    let bare = Address::parse(b"alice").unwrap();
    assert_eq!(bare.to_mailbox(None), bare);
}

#[test]
fn a_from_line_names_its_sender_to_every_rmail() {
    let when = date(2026, 11, 5)
        .at(10, 10, 47, 0)
        .to_zoned(TimeZone::UTC)
        .unwrap();
    let node: SystemName = "hub".parse().unwrap();
    for (sender, style, expected) in [
        (
            "bob@far.example",
            FromLineStyle::Plain,
            "From bob@far.example  Thu Nov  5 10:10:47 2026\n",
        ),
        (
            "",
            FromLineStyle::Plain,
            "From <>  Thu Nov  5 10:10:47 2026\n",
        ),
        (
            "",
            FromLineStyle::RemoteFrom,
            "From <>  Thu Nov  5 10:10:47 2026\n",
        ),
        (
            "bob@far.example",
            FromLineStyle::RemoteFrom,
            "From far.example!bob Thu Nov  5 10:10:47 2026 remote from hub\n",
        ),
        (
            "bob",
            FromLineStyle::RemoteFrom,
            "From bob Thu Nov  5 10:10:47 2026 remote from hub\n",
        ),
        (
            "\"a b\"@far.example",
            FromLineStyle::RemoteFrom,
            "From \"a b\"@far.example  Thu Nov  5 10:10:47 2026\n",
        ),
    ] {
        let line = from_line(
            &ReversePath::parse(sender.as_bytes()).unwrap(),
            &when,
            style,
            &node,
        );
        assert_eq!(String::from_utf8_lossy(&line), expected);
    }
}

proptest! {
    #[test]
    fn no_bytes_make_the_parsers_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        let _ = Address::parse(&bytes).map(|a| a.to_mailbox(Some("d")));
        let _ = ReversePath::parse(&bytes);
        let message = [b"From ", bytes.as_slice(), b"\n>From ", &bytes].concat();
        let lines = FromLines::parse(&message);
        prop_assert!(lines.length() <= message.len());
        let _ = lines.sender(None);
    }

    #[test]
    fn a_path_survives_its_own_bytes(hosts in proptest::collection::vec("[a-z0-9.-]{1,9}", 0..6), user in "[a-z%@.=+-]{1,12}") {
        let path = BangPath { hosts: hosts.into_iter().map(String::into_bytes).collect(), user: user.into_bytes() };
        prop_assert_eq!(BangPath::parse(&path.to_bytes()), path);
    }

    #[test]
    fn a_sender_survives_its_from_line(local in "[a-zA-Z0-9.=+_-]{1,20}", domain in "[a-z]{1,8}\\.[a-z]{2,3}") {
        let sender = ReversePath::parse(format!("{local}@{domain}").as_bytes()).unwrap();
        let when = date(2026, 1, 1).at(0, 0, 0, 0).to_zoned(TimeZone::UTC).unwrap();
        let node: SystemName = "hub".parse().unwrap();
        let line = from_line(&sender, &when, FromLineStyle::Plain, &node);
        prop_assert_eq!(FromLines::parse(&line).sender(None).unwrap(), sender);
    }
}
