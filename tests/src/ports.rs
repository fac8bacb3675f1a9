//! TCP ports for servers of the tests.

use std::net::{Ipv4Addr, TcpListener};
use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};

use crate::process;

/// A TCP port that nobody listens on now, and that nobody gets who asks the kernel for any.
///
/// # Panics
/// When there is none.
pub fn free_port() -> u16 {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    (0..20_000)
        .map(|_| 211 * std::process::id() + NEXT.fetch_add(1, Ordering::Relaxed))
        .filter_map(|next| u16::try_from(10_000 + next % 20_000).ok())
        .find(|port| TcpListener::bind((Ipv4Addr::UNSPECIFIED, *port)).is_ok())
        .expect("a free port")
}

/// Whether somebody listens on `port`; asked of the kernel's table, since a connection would count as a call.
pub fn is_listening(port: u16) -> bool {
    const LISTEN: &str = "0A";
    let wanted = format!(":{port:04X}");
    ["/proc/net/tcp", "/proc/net/tcp6"].iter().any(|table| {
        process::lossy(Path::new(table)).lines().any(|line| {
            let mut words = line.split_whitespace().skip(1);
            let local = words.next().unwrap_or_default();
            let state = words.nth(1).unwrap_or_default();
            local.ends_with(&wanted) && state == LISTEN
        })
    })
}
