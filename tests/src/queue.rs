//! Jobs put into a spool by hand, in the very form in which Debian's `uux` and `uucp` leave them.
//!
//! For hundreds of jobs this is faster than a process each, and it makes the job the same for every side.

use std::fs;
use std::path::Path;

use crate::node::Node;

/// Writes jobs for one neighbour of a node.
#[derive(Debug)]
pub struct HandQueue<'a> {
    node: &'a Node,
    peer: &'a str,
    next: u32,
}

impl<'a> HandQueue<'a> {
    /// Starts numbering at 1, and the node's own programs behind what this queue can use up.
    pub fn new(node: &'a Node, peer: &'a str) -> Self {
        let queue = Self {
            node,
            peer,
            next: 1,
        };
        for part in ["", "C.", "D.", "X."] {
            let path = queue.node.spool().join(peer).join(part);
            fs::create_dir_all(&path).expect("a folder of the spool");
            node.owner().give(&path);
        }
        let sequence = node.spool().join(peer).join("SEQF");
        if !sequence.exists() {
            fs::write(&sequence, "0ZZZ").expect("SEQF");
            node.owner().give(&sequence);
        }
        queue
    }

    /// Goes on numbering behind `used` jobs that another queue has made.
    #[must_use]
    pub fn after(mut self, used: usize) -> Self {
        self.next += u32::try_from(used).expect("a number of four digits");
        self
    }

    /// `command` is to be executed over there with `data` on its standard input.
    pub fn execution(&mut self, grade: char, command: &str, data: &[u8]) {
        let (number, name) = self.data(data);
        let there = format!("D.{}{grade}{number}", short(self.node.name()));
        let line = format!("E {name} {there} uucp -C {name} 0666 \"\" 0 {command}\n");
        self.work(grade, &line);
    }

    /// `data` is to be put into the file `to` over there.
    pub fn file(&mut self, grade: char, from: &str, to: &str, data: &[u8]) {
        let (_, name) = self.data(data);
        let line = format!("S {from} {to} uucp -Cd {name} 0644 \n");
        self.work(grade, &line);
    }

    /// The file `from` of this node, as it is when it is sent, is to be put into the file `to` over there.
    pub fn file_in_place(&mut self, grade: char, from: &Path, to: &str) {
        let (from, name) = (from.display(), base36(self.next));
        self.next += 1;
        self.work(grade, &format!("S {from} {to} uucp -cd D.{name} 0644 \n"));
    }

    /// The file `from` over there is to be fetched to `to` here.
    pub fn fetch(&mut self, grade: char, from: &str, to: &Path) {
        self.next += 1;
        self.work(grade, &format!("R {from} {} uucp -d\n", to.display()));
    }

    /// What a call from `peer` leaves at this node when `command` is to be executed with `data` on its standard input.
    pub fn received(&mut self, peer: &str, command: &str, data: &[u8]) {
        let number = base36(self.next);
        self.next += 1;
        let unique = format!("{}N{number}", short(peer));
        let text = format!("U uucp {peer}\nF D.{unique}\nI D.{unique}\nC {command}\n");
        self.put("D.", &format!("D.{unique}"), data);
        self.put("X.", &format!("X.{unique}"), text.as_bytes());
    }

    fn data(&mut self, data: &[u8]) -> (String, String) {
        let number = base36(self.next);
        self.next += 1;
        let name = format!("D.{number}");
        self.put("D.", &name, data);
        (number, name)
    }

    fn work(&mut self, grade: char, line: &str) {
        let name = format!("C.{grade}AAAAAAA{}", base36(self.next));
        self.put("C.", &name, line.as_bytes());
    }

    fn put(&self, folder: &str, name: &str, bytes: &[u8]) {
        let folder = self.node.spool().join(self.peer).join(folder);
        let making = folder.join(format!("TMP{name}"));
        fs::write(&making, bytes).expect("a file of the spool");
        self.node.owner().give(&making);
        set_private(&making);
        fs::rename(&making, folder.join(name)).expect("its name");
    }
}

fn set_private(path: &Path) {
    use std::os::unix::fs::PermissionsExt;
    fs::set_permissions(path, fs::Permissions::from_mode(0o600)).expect("chmod 600");
}

fn short(name: &str) -> &str {
    name.get(..7).unwrap_or(name)
}

fn base36(number: u32) -> String {
    let digits = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ";
    let digit = |place: u32| char::from(digits[(number / 36_u32.pow(place) % 36) as usize]);
    (0..4).rev().map(digit).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_count_as_the_peer_counts() {
        assert_eq!(base36(1), "0001");
        assert_eq!(base36(35), "000Z");
        assert_eq!(base36(36), "0010");
        assert_eq!(base36(36 * 36 * 36 * 36 - 1), "ZZZZ");
    }
}
