//! Paths of hosts joined by `!`, RFC 976.

use std::fmt;

/// `host!host!user`: the hosts to pass, in order, and what the last of them is given.
///
/// Any bytes parse; a path without `!` is a user and no hosts. A quoted local part is never taken apart.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct BangPath {
    /// The hosts, next one first; none of them empty.
    pub hosts: Vec<Vec<u8>>,
    /// What the last host resolves: a user, or an address of its own (`user@domain`).
    pub user: Vec<u8>,
}

impl BangPath {
    /// Takes a path apart. Empty hosts (`a!!b`, `!b`) name nobody and are dropped.
    #[must_use]
    pub fn parse(path: &[u8]) -> Self {
        let mut hosts = Vec::new();
        let mut rest = path;
        while rest.first() != Some(&b'"') {
            let Some(bang) = rest.iter().position(|b| *b == b'!') else {
                break;
            };
            let (host, tail) = rest.split_at(bang);
            if !host.is_empty() {
                hosts.push(host.to_vec());
            }
            rest = tail.get(1..).unwrap_or_default();
        }
        Self {
            hosts,
            user: rest.to_vec(),
        }
    }

    /// The path as bytes.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut path = Vec::new();
        for host in &self.hosts {
            path.extend_from_slice(host);
            path.push(b'!');
        }
        path.extend_from_slice(&self.user);
        path
    }

    /// The first host, and the path that is left for it to resolve.
    pub(super) fn into_first_hop(mut self) -> (Option<Vec<u8>>, Vec<u8>) {
        if self.hosts.is_empty() {
            return (None, self.user);
        }
        let first = self.hosts.remove(0);
        (Some(first), self.to_bytes())
    }
}

impl fmt::Display for BangPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&String::from_utf8_lossy(&self.to_bytes()))
    }
}
