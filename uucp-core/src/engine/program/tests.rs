use std::os::unix::net::UnixStream;

use super::*;

/// Runs a shell script on one end of a line; how it ended, what it said, and what came out of the other end before it
/// closed, which it does when nobody of the script is left.
fn shell(script: &str, limit: Duration) -> (Ending, Vec<String>, Vec<u8>) {
    let (near, mut far) = UnixStream::pair().unwrap();
    near.set_nonblocking(true).unwrap();
    let words = ["/bin/sh", "-c", script].map(|word| word.as_bytes().to_vec());
    let mut said = Vec::new();
    let mut log = |line: &str| said.push(line.to_owned());
    let line = (near.as_fd(), near.as_fd());
    let ending = run_words(line, &words, limit, None, &mut log).unwrap();
    let flags = OFlag::from_bits_retain(fcntl(&near, FcntlArg::F_GETFL).unwrap());
    assert!(flags.contains(OFlag::O_NONBLOCK));
    drop(near);
    let mut heard = Vec::new();
    far.read_to_end(&mut heard).unwrap();
    (ending, said, heard)
}

#[test]
fn a_program_speaks_on_the_line_and_into_the_log() {
    let script = "printf knock; echo one >&2; printf two >&2";
    let (ending, said, heard) = shell(script, Duration::from_mins(1));
    assert_eq!(ending, Ending::Good);
    assert_eq!((said.join("|"), heard), ("one|two".into(), b"knock".into()));
    let (ending, ..) = shell("exit 3", Duration::from_mins(1));
    assert_eq!(
        ending,
        Ending::Bad("Chat program failed (exit status: 3)".into())
    );
}

#[test]
fn one_that_never_ends_is_killed_with_its_children() {
    // Were one of them alive, the line would stay open and this test would hang.
    let (ending, _, heard) = shell("sleep 100000 & wait", Duration::ZERO);
    let Ending::Bad(reason) = ending else {
        panic!("{ending:?}");
    };
    assert!(reason.contains("did not end within 0 seconds"), "{reason}");
    assert!(heard.is_empty());
}

#[test]
fn what_it_leaves_behind_is_not_waited_for() {
    let (near, far) = UnixStream::pair().unwrap();
    // The child of the program holds its standard error, and ends when the line does.
    let words = ["/bin/sh", "-c", "exec 3<&0; { read word <&3; } & exit 0"];
    let words = words.map(|word| word.as_bytes().to_vec());
    let line = (near.as_fd(), near.as_fd());
    let ending = run_words(line, &words, Duration::from_mins(1), None, &mut |_| {}).unwrap();
    assert_eq!(ending, Ending::Good);
    drop(far);
}

#[test]
fn a_flood_of_words_is_bounded() {
    let script = "head -c 3000000 /dev/zero >&2; yes | head -n 2000 >&2";
    let (ending, said, _) = shell(script, Duration::from_mins(1));
    assert_eq!((ending, said.len()), (Ending::Good, LINES + 1));
}
