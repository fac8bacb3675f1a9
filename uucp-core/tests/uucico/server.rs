//! A server that takes calls.

use std::fs;
use std::io::Read;
use std::net::{TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::process::{Child, Command};

use crate::lab::{Lab, UUCICO, text};

/// A port number that nobody has just now.
fn free_port() -> u16 {
    let free = TcpListener::bind("127.0.0.1:0").unwrap();
    free.local_addr().unwrap().port()
}

/// Waits until the process listens. Trying to connect would be a call, or, where nobody listens yet, could by chance be a
/// connection of the port with itself.
fn await_listener(process: &mut Child, number: u16) {
    let listens = |table: &str| {
        let table = fs::read_to_string(table).unwrap_or_default();
        let wanted = format!(":{number:04X}");
        table.lines().any(|line| {
            let mut words = line.split_whitespace().skip(1).step_by(2);
            let local = words.next().unwrap_or_default();
            local.ends_with(&wanted) && words.next() == Some("0A")
        })
    };
    while !(listens("/proc/net/tcp") || listens("/proc/net/tcp6")) {
        assert!(process.try_wait().unwrap().is_none(), "it does not wait");
        std::thread::yield_now();
    }
}

#[test]
fn a_server_takes_calls_until_it_is_told_to_stop() {
    let lab = Lab::new("");
    let number = free_port();
    lab.alpha.write(
        "etc/port",
        &format!("port out\ntype tcp\nservice {number}\n"),
    );
    let mut server = lab
        .beta
        .command(UUCICO)
        .args(["--port", &number.to_string(), "--loop"])
        .spawn()
        .unwrap();
    await_listener(&mut server, number);
    for content in [b"one", b"two"] {
        lab.alpha.queue("beta", "joe", content);
        let output = lab.alpha.uucico(&["-S", "beta"]);
        assert!(output.status.success(), "{}", text(&output));
    }
    assert_eq!(lab.beta.arrived("alpha"), [b"one", b"two"]);
    let kill = Command::new("kill")
        .arg(server.id().to_string())
        .status()
        .unwrap();
    assert!(kill.success());
    assert!(server.wait().unwrap().success());
}

/// A connection that is answered, or not: what the server says first.
fn first_words(number: u16) -> (TcpStream, Vec<u8>) {
    let mut stream = TcpStream::connect(("127.0.0.1", number)).unwrap();
    let mut words = vec![0; b"login: ".len()];
    // One that is not taken is closed, or reset.
    let count = stream.read(&mut words).unwrap_or(0);
    words.truncate(count);
    (stream, words)
}

#[test]
fn one_address_cannot_take_every_place() {
    let lab = Lab::new("");
    let number = free_port();
    let mut server = lab
        .beta
        .command(UUCICO)
        .args(["--port", &number.to_string(), "--loop"])
        .spawn()
        .unwrap();
    await_listener(&mut server, number);
    let mut calls: Vec<TcpStream> = Vec::new();
    for _ in 0..10 {
        let (stream, words) = first_words(number);
        assert_eq!(words, b"login: ");
        calls.push(stream);
    }
    let (_, words) = first_words(number);
    assert_eq!(words.escape_ascii().to_string(), "");
    let log = lab.beta.log();
    assert!(
        log.contains("Call from 127.0.0.1 dropped: 10 from there"),
        "{log}"
    );
    // A place that becomes free is given away again.
    calls.pop();
    while first_words(number).1.is_empty() {
        std::thread::yield_now();
    }
    let kill = Command::new("kill").arg(server.id().to_string()).status();
    assert!(kill.unwrap().success());
    assert!(server.wait().unwrap().success());
}

#[test]
fn with_w_it_waits_for_calls_after_its_own() {
    let Lab {
        alpha,
        beta,
        listener,
        _folder,
    } = Lab::new("");
    let number = listener.local_addr().unwrap().port();
    alpha.queue("beta", "joe", b"mail");
    let mut caller = alpha
        .command(UUCICO)
        .args(["-S", "beta", "-w", "-p", "out"])
        .spawn()
        .unwrap();
    let (socket, _) = listener.accept().unwrap();
    // The port that it calls on is the one that it will wait on.
    drop(listener);
    let output = socket.try_clone().unwrap();
    let mut answerer = beta
        .command(UUCICO)
        .arg("-l")
        .stdin(OwnedFd::from(socket))
        .stdout(OwnedFd::from(output))
        .spawn()
        .unwrap();
    assert!(answerer.wait().unwrap().success());
    assert_eq!(beta.arrived("alpha"), [b"mail"]);
    await_listener(&mut caller, number);
    // Now beta calls alpha.
    beta.queue("alpha", "ann", b"back");
    let output = beta.uucico(&["-S", "alpha"]);
    assert!(output.status.success(), "{}", text(&output));
    assert_eq!(alpha.arrived("beta"), [b"back"]);
    let kill = Command::new("kill").arg(caller.id().to_string()).status();
    assert!(kill.unwrap().success());
    assert!(caller.wait().unwrap().success());
}
