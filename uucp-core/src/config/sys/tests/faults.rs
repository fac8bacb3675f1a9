//! What is wrong in a sys file, and how it is told.

use super::*;

#[test]
fn wrong_lines_are_shown_with_a_caret_and_a_mend() {
    let golden = |commands: &str| {
        read(&format!("system a\n{commands}\n"))
            .unwrap_err()
            .to_string()
    };
    assert_eq!(
        golden("  phnoe 12"),
        "sys: line 2, column 3: 'phnoe' is not a command of a sys file\n      phnoe 12\n      ^^^^^\n  did you mean 'phone'?"
    );
    assert_eq!(
        golden("time\tFoo # often"),
        "sys: line 2, column 6: 'Foo' is neither a day nor a timetable; days are Any Wk Su Mo Tu We Th Fr Sa Never\n    \
         time Foo # often\n         ^^^"
    );
    assert_eq!(
        golden("call-password my secret"),
        "sys: line 2, column 18: 'call-password' takes 0 to 1 words after it, not 2\n  words cannot be quoted; '#' begins a comment"
    );
}

#[test]
fn wrong_lines_fit_on_one_line() {
    for (commands, wanted) in [
        (
            "frobnicate",
            "sys:2:1: 'frobnicate' is not a command of a sys file (see bangpath-config(5) for the commands of a sys file)",
        ),
        (
            "sequence",
            "sys:2:1: 'sequence' takes one word after it, not 0",
        ),
        (
            "sequence maybe",
            "sys:2:10: 'maybe' is neither true nor false (write true or false, yes or no)",
        ),
        (
            "max-retries -1",
            "sys:2:13: '-1' is not a number that can stand here (write decimal digits only, without sign or unit)",
        ),
        (
            "timegrade zz any",
            "sys:2:11: 'zz' is not a grade (a grade is one of 0-9, A-Z, a-z)",
        ),
        (
            "time any x",
            "sys:2:10: 'x' is not a number that can stand here (write decimal digits only, without sign or unit)",
        ),
        (
            "chat-fail a b",
            "sys:2:13: 'chat-fail' takes one word after it, not 2 (words cannot be quoted; '#' begins a comment)",
        ),
        (
            "protocol-parameter gg x",
            "sys:2:20: 'gg' is not the letter of a link protocol (write one letter, for example g)",
        ),
        (
            "protocol-parameter g",
            "sys:2:1: 'protocol-parameter' takes at least 2 words after it, not 1",
        ),
        ("port", "sys:2:1: 'port' needs a command after it"),
        (
            "debug foo",
            "sys:2:7: 'foo' is not a kind of debugging (kinds are abnormal,chat,handshake,uucp-proto,proto,port,config,spooldir,execute,incoming,outgoing, all, none, or a number)",
        ),
        ("myname a!b", "sys:2:8: '!' cannot stand in a system name"),
        (
            "local-send / ! /private",
            "sys:2:14: '!' excludes nothing by itself (write '!' and the directory without a blank between them)",
        ),
        (
            "protocol t,g",
            "sys:2:10: 't,g' is not a list of link protocols (write letters, for example tgi)",
        ),
    ] {
        assert_eq!(error(commands), wanted);
    }
}

#[test]
fn every_keyword_for_suggestions_is_a_command() {
    for key in crate::config::apply::KEYWORDS {
        let result = read(&format!("system a\n{key}\n"));
        let refused = matches!(&result, Err(e) if e.to_string().contains("not a command"));
        assert!(!refused, "{key}: {result:?}");
    }
}
