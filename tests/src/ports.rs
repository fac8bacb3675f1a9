//! TCP ports for servers of the tests.

use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};

use nix::unistd::Pid;

use crate::process;

/// The state of a socket that listens, as the kernel writes it.
const LISTEN: &str = "0A";

/// A TCP port that nobody has now, and that nobody gets who asks the kernel for any. The kernel's table is asked: a socket of ours
/// to try it with would stay bound as long as a program that another test starts just then has not dropped its copy.
///
/// # Panics
/// When there is none.
pub fn free_port() -> u16 {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    (0..20_000)
        .map(|_| 211 * std::process::id() + NEXT.fetch_add(1, Ordering::Relaxed))
        .filter_map(|next| u16::try_from(10_000 + next % 20_000).ok())
        .find(|port| !is_in_use(*port))
        .expect("a free port")
}

/// Whether anybody has a socket of this port, be it one that is closing.
pub fn is_in_use(port: u16) -> bool {
    sockets(port).next().is_some()
}

/// Whether somebody listens on `port`; asked of the kernel's table, since a connection would count as a call.
pub fn is_listening(port: u16) -> bool {
    listening(port).is_some()
}

/// One of the processes that listen on `port`, as far as this user may look.
pub fn listener(port: u16) -> Option<Pid> {
    let socket = format!("socket:[{}]", listening(port)?);
    process::all().find(|pid| {
        let descriptors = std::fs::read_dir(format!("/proc/{pid}/fd"));
        let mut descriptors = descriptors.into_iter().flatten().flatten();
        descriptors.any(|entry| {
            std::fs::read_link(entry.path()).is_ok_and(|to| to.as_os_str() == socket.as_str())
        })
    })
}

/// The inode of the socket that listens on `port`.
fn listening(port: u16) -> Option<String> {
    let (_, inode) = sockets(port).find(|(state, _)| state == LISTEN)?;
    Some(inode)
}

/// The sockets of this local port: the state of each, two digits, and its inode.
fn sockets(port: u16) -> impl Iterator<Item = (String, String)> {
    const STATE: usize = 3;
    const INODE: usize = 9;
    let wanted = format!(":{port:04X}");
    let tables = ["/proc/net/tcp", "/proc/net/tcp6"];
    let tables = tables.map(|table| process::lossy(Path::new(table)));
    tables.into_iter().flat_map(move |table| {
        let socket = |line: &str| {
            let words: Vec<&str> = line.split_whitespace().collect();
            let is_its = words.get(1).is_some_and(|local| local.ends_with(&wanted));
            is_its.then(|| Some((words.get(STATE)?.to_string(), words.get(INODE)?.to_string())))?
        };
        table.lines().filter_map(socket).collect::<Vec<_>>()
    })
}

#[cfg(test)]
mod tests {
    use std::net::{TcpListener, TcpStream};

    use super::*;

    #[test]
    fn who_listens_is_found_and_who_is_called_is_not() {
        let server = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let port = server.local_addr().unwrap().port();
        let caller = TcpStream::connect(("127.0.0.1", port)).unwrap();
        assert_eq!(listener(port), Some(Pid::this()));
        let own = caller.local_addr().unwrap().port();
        assert!(is_in_use(own) && !is_listening(own));
        assert_eq!(listener(own), None);
        assert_eq!(listener(free_port()), None);
    }
}
