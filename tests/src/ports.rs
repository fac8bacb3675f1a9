//! TCP ports for servers of the tests.

use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};

use crate::process;

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
        .find(|port| !any_socket(*port, |_| true))
        .expect("a free port")
}

/// Whether somebody listens on `port`; asked of the kernel's table, since a connection would count as a call.
pub fn is_listening(port: u16) -> bool {
    const LISTEN: &str = "0A";
    any_socket(port, |state| state == LISTEN)
}

/// Whether a socket of this local port is in such a state, two digits as the kernel writes them.
fn any_socket(port: u16, state: impl Fn(&str) -> bool) -> bool {
    let wanted = format!(":{port:04X}");
    ["/proc/net/tcp", "/proc/net/tcp6"].iter().any(|table| {
        process::lossy(Path::new(table)).lines().any(|line| {
            let mut words = line.split_whitespace().skip(1).step_by(2);
            words.next().unwrap_or_default().ends_with(&wanted) && words.next().is_some_and(&state)
        })
    })
}
