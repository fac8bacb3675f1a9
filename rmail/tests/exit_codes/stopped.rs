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

/// Sends a signal to a process as soon as its number is known.
fn send(signal: Signal, target: &AtomicUsize) {
    let pid = loop {
        match target.load(Ordering::SeqCst) {
            0 => std::thread::yield_now(),
            pid => break pid,
        }
    };
    kill(Pid::from_raw(i32::try_from(pid).unwrap()), signal).unwrap();
}

#[test]
fn the_message_in_hand_gets_its_answer() {
    for signal in [Signal::SIGTERM, Signal::SIGINT, Signal::SIGHUP] {
        // EHLO, MAIL, RCPT, DATA, the content.
        for at in 0..5 {
            let (heard, victim) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
            let (number, target) = (heard.clone(), victim.clone());
            let server = Server::start(move |_| {
                if number.fetch_add(1, Ordering::SeqCst) == at {
                    send(signal, &target);
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

#[test]
fn of_the_reports_that_wait_none_is_begun_after_that() {
    let victim = Arc::new(AtomicUsize::new(0));
    // Told to end over its message, or over the first report.
    for (word, handed_over) in [("RCPT TO:<alice", 1), ("RCPT TO:<bob", 2)] {
        victim.store(0, Ordering::SeqCst);
        let target = victim.clone();
        let server = Server::start(move |line| {
            if line.starts_with(word) {
                send(Signal::SIGTERM, &target);
            }
            None
        });
        let site = Home::with_smtp(&server);
        let queue = site.path("spool/.Bangpath/local-mail");
        std::fs::create_dir_all(&queue).unwrap();
        for number in 0..3 {
            // The envelope's addresses are hexadecimal: bob@x.y.
            let mail = "from:\nto:626f6240782e79\n\nSubject: report\n\nrefused\n";
            std::fs::write(queue.join(format!("{number:013}")), mail).unwrap();
        }
        let program = env!("CARGO_BIN_EXE_rmail");
        let mut child = site
            .receiver(program, &[], &["alice@leaf.lab"], MESSAGE.as_bytes())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        victim.store(usize::try_from(child.id()).unwrap(), Ordering::SeqCst);
        assert_eq!(child.wait().unwrap().code(), Some(0), "{word}");
        assert_eq!(server.messages().len(), handed_over, "{word}");
        let waiting = site.contents("spool/.Bangpath/local-mail").len();
        assert_eq!(waiting, 4 - handed_over, "{word}");
    }
}
