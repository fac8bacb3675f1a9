//! rmail told to end while it hands over.

use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use suite_tests::alone::Home;
use suite_tests::sink::Server;

/// Nothing in it tells it from another one when it comes again.
const MESSAGE: &str = "From bob@far.example  Fri Nov 20 10:10:47 2026\nSubject: hello\n\nbody\n";

#[test]
fn the_message_in_hand_gets_its_answer() {
    for signal in [Signal::SIGTERM, Signal::SIGINT, Signal::SIGHUP] {
        // EHLO, MAIL, RCPT, DATA, the content.
        for at in 0..5 {
            let (heard, victim) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
            let (number, target) = (heard.clone(), victim.clone());
            let server = Server::start(move |_| {
                if number.fetch_add(1, Ordering::SeqCst) == at {
                    let pid = loop {
                        match target.load(Ordering::SeqCst) {
                            0 => std::thread::yield_now(),
                            pid => break pid,
                        }
                    };
                    kill(Pid::from_raw(i32::try_from(pid).unwrap()), signal).unwrap();
                }
                None
            });
            let site = Home::with_smtp(&server);
            let environment = [("UU_MACHINE", "hub"), ("UU_USER", "uucp")];
            let program = env!("CARGO_BIN_EXE_rmail");
            let mut child = site
                .receiver(
                    program,
                    &environment,
                    &["alice@leaf.lab"],
                    MESSAGE.as_bytes(),
                )
                .stderr(Stdio::null())
                .spawn()
                .unwrap();
            victim.store(usize::try_from(child.id()).unwrap(), Ordering::SeqCst);
            let status = child.wait().unwrap();
            // Whoever does not hear that it was done would bring it again.
            assert_eq!(status.code(), Some(0), "{signal} {at}");
            assert_eq!(server.messages().len(), 1, "{signal} {at}");
            assert!(heard.load(Ordering::SeqCst) > at);
        }
    }
}
