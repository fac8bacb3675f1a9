//! `uucico` as a program: two nodes in temporary directories, joined by sockets and pipes.

#![expect(
    clippy::unwrap_used,
    reason = "a test that cannot set itself up has failed"
)]

mod chats;
mod confined;
mod debugging;
mod encrypted;
mod hooks;
mod lab;
mod login;
mod outbox;
mod permissions;
mod placing;
#[path = "../../src/pty.rs"]
mod pty;
mod refused;
mod round;
mod rules;
#[path = "../../src/runnable.rs"]
mod runnable;
mod serial;
mod server;
#[path = "../../src/skip.rs"]
mod skip;
mod told;
mod transfers;
