//! Files that were asked for: continued while they are the same over there, else from the start.

use std::os::unix::fs::PermissionsExt;

use super::*;

const REQUEST: &[u8] = b"R /home/beta/f ~/f uucp -d";

fn open(folder: &std::path::Path) {
    std::fs::create_dir_all(folder).unwrap();
    std::fs::set_permissions(folder, std::fs::Permissions::from_mode(0o777)).unwrap();
}

fn asking() -> Peer {
    let peer = Peer::new();
    open(&peer.pubdir);
    peer
}

impl Peer {
    /// The answer to a request for a file of eight bytes, in the version that the other system tells.
    fn answer(&self, inbox: &mut Inbox, request: &[u8], version: Option<u64>) -> (Reception, u64) {
        let Ok(Request::Receive(request)) = Request::parse(request) else {
            panic!("no request for a file");
        };
        let (rules, pubdir) = (&self.rules, &self.pubdir);
        let incoming = Incoming::of_own(&request, 0o644, Some(8), version, rules, pubdir, 0);
        match inbox.begin(&incoming).unwrap() {
            Admission::Begin {
                reception,
                restart_at,
            } => (*reception, restart_at),
            other => panic!("{other:?}"),
        }
    }

    /// The same in an inbox of its own, and a part of the file comes. What is left is what a kill leaves too: nothing of it is
    /// done when the reception ends.
    fn cut(&self, request: &[u8], version: Option<u64>, part: &[u8]) -> u64 {
        let (mut reception, from) = self.answer(&mut self.inbox(), request, version);
        reception.write(None, part).unwrap();
        from
    }

    fn in_the_making(&self) -> usize {
        std::fs::read_dir(&self.pubdir).unwrap().count()
    }
}

#[test]
fn a_file_goes_on_where_it_stopped_while_it_is_the_same() {
    let peer = asking();
    assert_eq!(peer.cut(REQUEST, Some(1), b"12"), 0);
    assert_eq!(peer.cut(REQUEST, Some(1), b"34"), 2);
    let mut inbox = peer.inbox();
    let (mut reception, from) = peer.answer(&mut inbox, REQUEST, Some(1));
    assert_eq!(from, 4);
    reception.write(None, b"5678").unwrap();
    reception.finish().unwrap();
    inbox.commit(vec![reception]).pop().unwrap().unwrap();
    let path = peer.pubdir.join("f");
    assert_eq!(std::fs::read(&path).unwrap(), b"12345678");
    // Whoever asks for it once more gets it once more.
    assert_eq!(peer.cut(REQUEST, Some(1), b"1"), 0);
    assert_eq!(std::fs::read(&path).unwrap(), b"12345678");
    assert_eq!(peer.in_the_making(), 2);
}

#[test]
fn what_was_kept_of_a_file_that_has_changed_goes() {
    let peer = asking();
    peer.cut(REQUEST, Some(1), b"12");
    // A stranger's file of such a name is none of ours.
    let other = peer.pubdir.join(".bangpath-0-1");
    std::fs::write(&other, "x").unwrap();
    assert_eq!(peer.cut(REQUEST, Some(2), b"3"), 0);
    assert_eq!(peer.in_the_making(), 2);
    assert!(other.exists());
    assert_eq!(peer.cut(REQUEST, Some(2), b"4"), 1);
    assert_eq!(peer.cut(REQUEST, Some(1), b"1"), 0);
}

#[test]
fn a_file_without_a_version_is_never_continued() {
    let peer = asking();
    assert_eq!(peer.cut(REQUEST, None, b"12"), 0);
    assert_eq!(peer.in_the_making(), 0);
    assert_eq!(peer.cut(REQUEST, None, b"12"), 0);
}

#[test]
fn other_requests_are_other_files_and_two_at_once_do_not_meet() {
    let peer = asking();
    peer.cut(REQUEST, Some(1), b"12");
    for other in [
        &b"R /home/beta/g ~/f uucp -d"[..],
        b"R /home/beta/f ~/g uucp -d",
        b"R /home/beta/f ~/f ann -d",
    ] {
        assert_eq!(peer.cut(other, Some(1), b"xyz"), 0);
    }
    let mut inbox = peer.inbox();
    let (first, from) = peer.answer(&mut inbox, REQUEST, Some(1));
    assert_eq!(from, 2);
    for version in [1, 2] {
        let (mut second, from) = peer.answer(&mut inbox, REQUEST, Some(version));
        assert_eq!(from, 0);
        second.write(None, b"12345678").unwrap();
        second.finish().unwrap();
        inbox.commit(vec![second]).pop().unwrap().unwrap();
    }
    assert_eq!(first.size(), 2);
    drop(first);
    assert_eq!(peer.cut(REQUEST, Some(1), b""), 2);
}
