//! A server that takes calls.

use std::fs;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddrV4, TcpStream};
use std::os::fd::{AsRawFd, OwnedFd};
use std::process::Child;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use nix::sys::resource::{Resource, getrlimit, setrlimit};
use nix::sys::socket::{AddressFamily, SockFlag, SockType, SockaddrIn, bind, connect, socket};

use crate::lab::{Lab, UUCICO, accept, terminate, text};

/// A port number that nobody has just now, and that nobody gets who asks the kernel for any. The kernel's table is asked: a socket
/// of ours to try it with would stay bound as long as a program that another test starts just then has not dropped its copy.
pub(crate) fn free_port() -> u16 {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    (0..20_000)
        .map(|_| 211 * std::process::id() + NEXT.fetch_add(1, Ordering::Relaxed))
        .filter_map(|next| u16::try_from(10_000 + next % 20_000).ok())
        .find(|number| !any_socket(*number, |_| true))
        .unwrap()
}

/// Whether a socket of this local port is in such a state, which the kernel writes with two digits, 0A for one that listens.
fn any_socket(number: u16, state: impl Fn(&str) -> bool) -> bool {
    let wanted = format!(":{number:04X}");
    ["/proc/net/tcp", "/proc/net/tcp6"].iter().any(|table| {
        let table = fs::read_to_string(table).unwrap_or_default();
        table.lines().any(|line| {
            let mut words = line.split_whitespace().skip(1).step_by(2);
            words.next().unwrap_or_default().ends_with(&wanted) && words.next().is_some_and(&state)
        })
    })
}

/// Waits until the process listens. Trying to connect would be a call, or, where nobody listens yet, could by chance be a
/// connection of the port with itself.
pub(crate) fn await_listener(process: &mut Child, number: u16) {
    let deadline = Instant::now() + Duration::from_mins(1);
    while !any_socket(number, |state| state == "0A") {
        assert!(process.try_wait().unwrap().is_none(), "it does not wait");
        if Instant::now() > deadline {
            let _ = process.kill();
            panic!("it does not wait on {number}");
        }
        std::thread::yield_now();
    }
}

#[test]
fn a_server_takes_calls_until_it_is_told_to_stop() {
    let lab = Lab::new("");
    let (server, number) = start_server(&lab);
    for content in [b"one", b"two"] {
        lab.alpha.queue("beta", "joe", content);
        let output = lab.alpha.uucico(&["-S", "beta"]);
        assert!(output.status.success(), "{}", text(&output));
    }
    assert_eq!(lab.beta.arrived("alpha"), [b"one", b"two"]);
    // Nobody else can wait there, and who wonders why can read it.
    let second = lab.beta.uucico(&["-e", "-p", &number.to_string()]);
    assert_eq!(second.status.code(), Some(1));
    stop(server);
    let log = lab.beta.log();
    for told in [
        format!(") Waiting for calls on port TCP ({number})\n"),
        format!(") FATAL: listen on port {number}: Address already in use"),
        format!(") No longer waiting for calls on port TCP ({number})\n"),
    ] {
        assert_eq!(log.matches(&told).count(), 1, "{told}: {log}");
    }
}

#[test]
fn a_daemon_waits_on_all_ports_that_it_is_given() {
    let lab = Lab::new("");
    let numbers = [free_port(), free_port()];
    let named = format!("port second\ntype tcp\nservice {}\n", numbers[1]);
    lab.beta.write("etc/port", &named);
    let mut daemon = lab
        .beta
        .command(UUCICO)
        .args(["--daemon", "-p", &numbers[0].to_string(), "-p", "second"])
        .spawn()
        .unwrap();
    for number in numbers {
        await_listener(&mut daemon, number);
        let port = format!("port out\ntype tcp\nservice {number}\n");
        lab.alpha.write("etc/port", &port);
        lab.alpha.queue("beta", "joe", b"mail");
        let output = lab.alpha.uucico(&["-S", "beta"]);
        assert!(output.status.success(), "{}", text(&output));
    }
    stop(daemon);
    let log = lab.beta.log();
    for port in ["TCP", "second"] {
        let call = format!("Incoming call (login Ualpha port {port}) from 127.0.0.1");
        assert!(log.contains(&call), "{log}");
    }
    assert!(log.ends_with(") Daemon ended\n"), "{log}");
}

#[test]
fn a_port_alone_is_waited_on_and_nobody_comes_in_without_a_password() {
    let lab = Lab::new("");
    let number = free_port();
    let mut command = lab.beta.command(UUCICO);
    let mut server = command
        .args(["--port", &number.to_string()])
        .spawn()
        .unwrap();
    await_listener(&mut server, number);
    let mut caller = TcpStream::connect((Ipv4Addr::LOCALHOST, number)).unwrap();
    let mut greeting = [0; 7];
    caller.read_exact(&mut greeting).unwrap();
    assert_eq!(&greeting, b"login: ");
    stop(server);
}

/// Ends a server in the orderly way.
pub(crate) fn stop(mut server: Child) {
    terminate(&server);
    assert!(server.wait().unwrap().success());
}

/// Connects from an address of one's own: all of 127.0.0.0/8 is this machine.
fn connect_from(source: Ipv4Addr, number: u16) -> TcpStream {
    let flags = SockFlag::SOCK_CLOEXEC;
    let socket = socket(AddressFamily::Inet, SockType::Stream, flags, None).unwrap();
    let source = SocketAddrV4::new(source, 0);
    bind(socket.as_raw_fd(), &SockaddrIn::from(source)).unwrap();
    let server = SocketAddrV4::new(Ipv4Addr::LOCALHOST, number);
    connect(socket.as_raw_fd(), &SockaddrIn::from(server)).unwrap();
    TcpStream::from(socket)
}

/// The n-th address of a crowd; none of them is 127.0.0.1.
fn address(n: usize) -> Ipv4Addr {
    let [.., high, low] = n.to_be_bytes();
    Ipv4Addr::new(127, 1, high, low)
}

/// What the server says first; nothing from one that hangs up.
fn first_words(stream: &mut TcpStream) -> Vec<u8> {
    let mut words = vec![0; b"login: ".len()];
    let count = stream.read(&mut words).unwrap_or(0);
    words.truncate(count);
    words
}

/// Whether the server has hung up; until it has, it says nothing more.
fn is_hung_up(stream: &mut TcpStream) -> bool {
    matches!(stream.read(&mut [0]), Ok(0) | Err(_))
}

fn start_server(lab: &Lab) -> (Child, u16) {
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
    (server, number)
}

fn call_delivers(lab: &Lab, content: &[u8]) {
    lab.alpha.queue("beta", "joe", content);
    let output = lab.alpha.uucico(&["-S", "beta"]);
    assert!(output.status.success(), "{}", text(&output));
    assert!(lab.beta.arrived("alpha").contains(&content.to_vec()));
}

/// The processes that a process has started.
fn children(process: &Child) -> usize {
    let id = process.id();
    let list = fs::read_to_string(format!("/proc/{id}/task/{id}/children")).unwrap();
    list.split_whitespace().count()
}

/// `FLOOD=10000` for as many connections.
fn flood_size() -> usize {
    let wanted = std::env::var("FLOOD").map_or(2000, |count| count.parse().unwrap());
    let (_, hard) = getrlimit(Resource::RLIMIT_NOFILE).unwrap();
    setrlimit(Resource::RLIMIT_NOFILE, hard, hard).unwrap();
    wanted.min(usize::try_from(hard).unwrap() - 200)
}

#[test]
fn thousands_that_say_nothing_keep_nobody_out() {
    let lab = Lab::new("");
    let (server, number) = start_server(&lab);
    let mut silent: Vec<TcpStream> = Vec::new();
    for n in 0..flood_size() {
        silent.push(connect_from(address(n), number));
        if n % 500 == 0 {
            // Half a line is no line.
            silent.last_mut().unwrap().write_all(b"Ual").unwrap();
        }
    }
    call_delivers(&lab, b"one");
    // The newest are still there, and have cost no process.
    assert_eq!(first_words(silent.last_mut().unwrap()), b"login: ");
    // The first call may not have been reaped yet.
    assert!(children(&server) <= 1);
    call_delivers(&lab, b"two");
    drop(silent);
    call_delivers(&lab, b"three");
    stop(server);
}

#[test]
fn those_that_talk_and_do_not_log_in_keep_nobody_out() {
    let lab = Lab::new("");
    let (server, number) = start_server(&lab);
    let mut talking: Vec<TcpStream> = (0..130).map(|n| connect_from(address(n), number)).collect();
    for stream in &mut talking {
        stream.write_all(b"somebody\r").unwrap();
    }
    call_delivers(&lab, b"mail");
    let log = lab.beta.log();
    assert!(log.contains("not logged in after"), "{log}");
    stop(server);
}

#[test]
fn one_address_cannot_take_every_place() {
    let lab = Lab::new("");
    let (server, number) = start_server(&lab);
    let mut calls: Vec<TcpStream> = Vec::new();
    for _ in 0..64 {
        let mut stream = connect_from(address(1), number);
        assert_eq!(first_words(&mut stream), b"login: ");
        calls.push(stream);
    }
    let mut other = connect_from(address(2), number);
    assert_eq!(first_words(&mut other), b"login: ");
    // The next one takes the place of the oldest.
    let mut next = connect_from(address(1), number);
    assert_eq!(first_words(&mut next), b"login: ");
    assert!(is_hung_up(&mut calls[0]));
    let log = lab.beta.log();
    let told =
        "Call from 127.1.0.1 dropped: it has not logged in, and 64 calls from 127.1.0.1 wait";
    assert!(log.contains(told), "{log}");
    // The second is still there: it is asked for its password.
    calls[1].write_all(b"somebody\r").unwrap();
    let mut words = [0; b"Password:".len()];
    calls[1].read_exact(&mut words).unwrap();
    assert_eq!(&words, b"Password:");
    stop(server);
}

#[test]
fn an_address_that_guesses_passwords_is_shut_out() {
    let lab = Lab::new("");
    let (server, number) = start_server(&lab);
    let mut callers: Vec<TcpStream> = (0..10).map(|_| connect_from(address(1), number)).collect();
    for stream in &mut callers {
        stream.write_all(b"Ualpha\rguess\r").unwrap();
    }
    // The server hears of each.
    loop {
        let mut late = connect_from(address(1), number);
        if first_words(&mut late).is_empty() {
            break;
        }
    }
    let log = lab.beta.log();
    assert!(
        log.contains("Call from 127.1.0.1 dropped: too many wrong passwords from 127.1.0.1"),
        "{log}"
    );
    call_delivers(&lab, b"mail");
    stop(server);
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
    let socket = accept(&listener);
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
    stop(caller);
}
