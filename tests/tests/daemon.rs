//! `uucico --daemon`: calls come and go by themselves, the configuration is read again, the end is orderly, systemd hears of it.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a scenario: a broken precondition stops it where it is"
)]

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::process::Command;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;

use nix::sys::signal::{Signal, kill};
use suite_tests::Site;
use suite_tests::node::{Node, Reach};
use suite_tests::ports::free_port;
use suite_tests::process::{self, Running};
use suite_tests::programs::Side;

/// Two nodes; the hub's port number is known before anybody waits there.
struct Pair {
    site: Site,
    leaf: Node,
    hub: Node,
    socket: TcpListener,
}

fn pair() -> Pair {
    pair_over(Reach::Tcp)
}

fn pair_over(reach: fn(u16) -> Reach) -> Pair {
    let site = Site::new("daemon");
    let leaf = Node::new(&site, "leaf", Side::Ours);
    let hub = Node::new(&site, "hub", Side::Ours);
    let socket = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let number = socket.local_addr().unwrap().port();
    leaf.add_neighbour("hub", "", &reach(number), "");
    hub.add_neighbour("leaf", "", &Reach::Never, "");
    for node in [&leaf, &hub] {
        node.add_store_command();
        node.set_run_uuxqt("once");
    }
    Pair {
        site,
        leaf,
        hub,
        socket,
    }
}

/// The hub's daemon, with its socket handed over as systemd does it.
fn start_hub(pair: &Pair, notify: &Path) -> Running {
    let program = pair.hub.command("uucico");
    let mut command = process::command_as(pair.hub.owner(), Path::new("/bin/sh"));
    command
        .arg("-c")
        .arg("exec 3<&0 </dev/null; LISTEN_PID=$$ LISTEN_FDS=1 exec \"$@\"")
        .arg("sh")
        .arg(program.get_program())
        .args(program.get_args())
        .arg("--daemon")
        .env("NOTIFY_SOCKET", notify)
        .stdin(OwnedFd::from(pair.socket.try_clone().unwrap()));
    Running::start(command, &pair.hub.path("log/daemon.out"))
}

fn start_leaf(pair: &Pair, options: &[&str]) -> Running {
    let mut command: Command = pair.leaf.command("uucico");
    command.arg("--daemon").args(options);
    Running::start(command, &pair.leaf.path("log/daemon.out"))
}

fn queue(pair: &Pair, name: &str) {
    pair.leaf
        .run_with_input("uux", &["-r", "-", "hub!store", name], name.as_bytes())
        .expect_success("uux");
}

fn wait_for(pair: &Pair, name: &str) {
    let stored = pair.hub.path("stored").join(name);
    process::wait_for(name, process::PATIENCE, || {
        (process::lossy(&stored) == name).then_some(())
    });
}

fn wait_for_log(node: &Node, text: &str) {
    process::wait_for(text, process::PATIENCE, || {
        process::lossy(&node.path("log/Log"))
            .contains(text)
            .then_some(())
    });
}

fn end(daemon: Running) {
    kill(daemon.pid(), Signal::SIGTERM).unwrap();
    let finished = daemon.finish(process::PATIENCE);
    assert!(finished.status.success(), "{finished:?}");
}

#[test]
fn work_goes_by_itself_and_systemd_hears_of_it() {
    let pair = pair();
    let notify = pair.site.path().join("notify");
    let systemd = UnixDatagram::bind(&notify).unwrap();
    systemd.set_read_timeout(Some(process::PATIENCE)).unwrap();
    pair.hub.owner().give(&notify);
    let heard = || {
        let mut buffer = [0; 512];
        let count = systemd.recv(&mut buffer).expect("a word from the daemon");
        String::from_utf8_lossy(&buffer[..count]).into_owned()
    };
    let hub = start_hub(&pair, &notify);
    assert!(heard().contains("READY=1"));
    // What was queued before the start, and what comes later.
    queue(&pair, "first");
    let leaf = start_leaf(&pair, &["--gap", "0"]);
    wait_for(&pair, "first");
    queue(&pair, "second");
    wait_for(&pair, "second");
    kill(hub.pid(), Signal::SIGHUP).unwrap();
    assert!(heard().contains("RELOADING=1"));
    assert!(heard().contains("READY=1"));
    // It goes on also where it could read nothing of use.
    pair.hub.write("etc/config", "max-uuxqts many\n");
    kill(hub.pid(), Signal::SIGHUP).unwrap();
    assert!(heard().contains("RELOADING=1"));
    assert!(heard().contains("READY=1"));
    end(leaf);
    end(hub);
    assert!(heard().contains("STOPPING=1"));
    assert_eq!(pair.leaf.leftovers(), Vec::<String>::new());
}

#[test]
fn a_closed_window_is_respected_until_the_configuration_is_read_again() {
    let pair = pair();
    let sys = process::lossy(&pair.leaf.path("etc/sys"));
    let closed = sys.replace("time any\n", "time never\n");
    pair.leaf.write("etc/sys", &closed);
    let hub = start_hub(&pair, Path::new("/nonexistent"));
    queue(&pair, "later");
    let leaf = start_leaf(&pair, &[]);
    wait_for_log(&pair.leaf, "Daemon started");
    // What cannot be understood is refused, and the old configuration holds.
    pair.leaf.write("etc/config", "max-uuxqts many\n");
    kill(leaf.pid(), Signal::SIGHUP).unwrap();
    let place = format!("{}:1:12: 'many' is", pair.leaf.config().display());
    let told =
        format!("Configuration not read again, the old one holds for the daemon alone: {place}");
    wait_for_log(&pair.leaf, &told);
    wait_for_log(&pair.leaf, "; each call reads its files itself, and fails");
    let log = process::lossy(&pair.leaf.path("log/Log"));
    assert!(!log.contains("Calling system"), "{log}");
    pair.leaf.write("etc/sys", &sys);
    pair.leaf.set_run_uuxqt("once");
    kill(leaf.pid(), Signal::SIGHUP).unwrap();
    wait_for(&pair, "later");
    end(leaf);
    end(hub);
}

#[test]
fn a_port_that_is_elsewhere_since_is_told() {
    let pair = pair();
    let port = |number| format!("port in\ntype tcp\nservice {number}\n");
    let (first, second) = (free_port(), free_port());
    pair.leaf.write("etc/port", &port(first));
    let leaf = start_leaf(&pair, &["-p", "in"]);
    wait_for_log(&pair.leaf, "Daemon started");
    pair.leaf.write("etc/port", &port(second));
    kill(leaf.pid(), Signal::SIGHUP).unwrap();
    let told = format!("Port in has service {second} now; until a restart");
    wait_for_log(&pair.leaf, &told);
    end(leaf);
}

/// A call in the middle of which somebody holds the line.
struct Held {
    /// Tells that the call has come so far.
    reached: Receiver<()>,
    go_on: Sender<()>,
}

/// Passes the next call of `listener` on to a port, and holds what the answerer says once it asks for the password.
fn hold(listener: TcpListener, target: u16) -> Held {
    let (tell, reached) = channel();
    let (go_on, wait) = channel();
    thread::spawn(move || {
        let (caller, _) = listener.accept().unwrap();
        let answerer = TcpStream::connect(("127.0.0.1", target)).unwrap();
        let out = (caller.try_clone().unwrap(), answerer.try_clone().unwrap());
        thread::spawn(move || copy(out.0, out.1, || {}));
        let mut held = Some((tell, wait));
        copy(answerer, caller, move || {
            if let Some((tell, wait)) = held.take() {
                tell.send(()).unwrap();
                let _ = wait.recv();
            }
        });
    });
    Held { reached, go_on }
}

/// Copies to the end; before what comes after `Password`, `hold` is called.
fn copy(mut from: TcpStream, mut to: TcpStream, mut hold: impl FnMut()) {
    let (mut buffer, mut seen) = ([0; 8192], Vec::new());
    while let Ok(count @ 1..) = from.read(&mut buffer) {
        let (read, _) = buffer.split_at(count);
        seen.extend_from_slice(read);
        if seen.windows(8).any(|word| word == b"Password") {
            hold();
        }
        if to.write_all(read).is_err() {
            break;
        }
    }
    let _ = to.shutdown(Shutdown::Write);
}

/// Has the leaf's next call held.
fn hold_calls(pair: &Pair) -> Held {
    let front = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let number = |listener: &TcpListener| listener.local_addr().unwrap().port();
    let port = format!("port out-hub\ntype tcp\nservice {}\n\n", number(&front));
    pair.leaf.write("etc/port", &port);
    hold(front, number(&pair.socket))
}

#[test]
fn at_its_end_the_call_under_way_is_finished_and_no_other_begins() {
    let pair = pair();
    let held = hold_calls(&pair);
    let other = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let reach = Reach::Tcp(other.local_addr().unwrap().port());
    pair.leaf.add_neighbour("third", "", &reach, "");
    let mut hub = start_hub(&pair, Path::new("/nonexistent"));
    queue(&pair, "letter");
    let mut leaf = start_leaf(&pair, &["--gap", "0"]);
    held.reached.recv_timeout(process::PATIENCE).unwrap();
    // Somebody who has not said a word yet.
    let door = pair.socket.local_addr().unwrap();
    let mut early = TcpStream::connect(door).unwrap();
    early.read_exact(&mut [0; 7]).unwrap();
    for (daemon, node) in [(&leaf, &pair.leaf), (&hub, &pair.hub)] {
        kill(daemon.pid(), Signal::SIGTERM).unwrap();
        wait_for_log(node, "Daemon ends after the calls under way");
    }
    // Work for a system that would be called at once.
    pair.leaf
        .run_with_input("uux", &["-r", "-", "third!store", "x"], b"x")
        .expect_success("uux");
    assert!(!leaf.has_ended() && !hub.has_ended());
    // He does not come in any more, nor does who comes now.
    let _ = early.write_all(b"Uleaf\r");
    let heard = early.read(&mut [0; 9]);
    assert!(matches!(heard, Ok(0) | Err(_)), "he was answered");
    let late = TcpStream::connect(door).unwrap();
    held.go_on.send(()).unwrap();
    wait_for(&pair, "letter");
    for daemon in [leaf, hub] {
        let finished = daemon.finish(process::PATIENCE);
        assert!(finished.status.success(), "{finished:?}");
    }
    for node in [&pair.leaf, &pair.hub] {
        let log = node.log();
        assert_eq!(log.matches("Call complete").count(), 1, "{log}");
        assert!(!log.contains("ERROR"), "{log}");
    }
    assert_eq!(pair.leaf.count("hub/C."), 0);
    assert_eq!(pair.leaf.count("third/C."), 1);
    other.set_nonblocking(true).unwrap();
    assert!(other.accept().is_err(), "a call has begun");
    // Whoever has the socket next finds him there.
    pair.socket.set_nonblocking(true).unwrap();
    let (_, from) = pair.socket.accept().expect("the one who came late");
    assert_eq!(from, late.local_addr().unwrap());
}

#[test]
fn told_twice_it_ends_the_call_under_way() {
    let pair = pair();
    let held = hold_calls(&pair);
    let hub = start_hub(&pair, Path::new("/nonexistent"));
    queue(&pair, "letter");
    let leaf = start_leaf(&pair, &[]);
    held.reached.recv_timeout(process::PATIENCE).unwrap();
    kill(leaf.pid(), Signal::SIGTERM).unwrap();
    wait_for_log(&pair.leaf, "Daemon ends after the calls under way");
    end(leaf);
    let log = pair.leaf.log();
    assert!(log.contains("ERROR: Got termination signal"), "{log}");
    assert_eq!(pair.leaf.count("hub/C."), 1);
    drop(held);
    end(hub);
}

#[test]
fn a_system_that_does_not_answer_is_not_called_without_pause() {
    let pair = pair();
    let Pair { socket, leaf, .. } = &pair;
    let other = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let number = other.local_addr().unwrap().port();
    leaf.add_neighbour("third", "", &Reach::Tcp(number), "");
    queue(&pair, "nobody");
    let daemon = start_leaf(&pair, &["--gap", "0"]);
    // Somebody answers, and says nothing that could be understood.
    let (connection, _) = socket.accept().unwrap();
    drop(connection);
    wait_for_log(leaf, "ERROR");
    queue(&pair, "nobody-else");
    // A look at all that waits, which this call shows: had the first system been due, it would have been called with it.
    leaf.run_with_input("uux", &["-r", "-", "third!store", "x"], b"x")
        .expect_success("uux");
    drop(other.accept().unwrap());
    end(daemon);
    socket.set_nonblocking(true).unwrap();
    assert!(socket.accept().is_err(), "called again at once");
    assert_eq!(leaf.count("hub/C."), 2);
}

#[test]
fn a_socket_of_systemds_is_the_port_that_has_its_number() {
    let pair = pair_over(Reach::Tls);
    pair.leaf.befriend(&pair.hub);
    let number = pair.socket.local_addr().unwrap().port();
    pair.hub.write(
        "etc/port",
        &format!("port other\ntype tcp\nservice 1\nport tls\ntype tls\nservice {number}\n"),
    );
    let hub = start_hub(&pair, &pair.site.path().join("nobody"));
    queue(&pair, "one");
    pair.leaf.call("hub").expect_success("the call");
    wait_for(&pair, "one");
    let log = pair.hub.log();
    assert!(
        log.contains("Incoming call (login Uleaf port tls)"),
        "{log}"
    );
    end(hub);
}
