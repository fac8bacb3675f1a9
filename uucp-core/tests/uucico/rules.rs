//! The rules of the sys file about calls: when, for what, under which name, over which alternate.

use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::fd::{AsRawFd, OwnedFd};
use std::time::{SystemTime, UNIX_EPOCH};

use nix::sys::socket::{AddressFamily, SockFlag, SockType, SockaddrIn, bind, connect, socket};

use crate::lab::{Lab, Node, UUCICO, accept, text};
use crate::server::free_port;

/// Queues a mail of a grade.
fn queue(node: &Node, peer: &str, grade: &str) {
    let arguments = ["-r", "-g", grade, &format!("{peer}!rmail"), "joe"];
    let status = node.command(crate::lab::UUX).args(arguments).status();
    assert!(status.unwrap().success());
}

/// The grades of the jobs that wait.
fn waiting(node: &Node, peer: &str) -> String {
    let names = node.names(&format!("{peer}/C."));
    names.iter().map(|name| &name[2..3]).collect()
}

fn good_call(lab: &Lab) {
    let (output, answered) = lab.call();
    assert!(output.status.success() && answered, "{}", text(&output));
}

fn nobody_was_called(lab: &Lab) {
    lab.listener.set_nonblocking(true).unwrap();
    assert!(lab.listener.accept().is_err(), "somebody was called");
    lab.listener.set_nonblocking(false).unwrap();
}

#[test]
fn a_grade_of_the_hour_decides_whether_to_call_and_what_goes() {
    let lab = Lab::new("");
    let sys = fs::read_to_string(lab.alpha.root.join("etc/sys")).unwrap();
    let graded = sys.replace("time any", "timegrade C any");
    lab.alpha.write("etc/sys", &graded);
    queue(&lab.alpha, "beta", "N");
    // No reason to call, unless it is asked for by name: then what is not urgent enough stays.
    assert!(lab.alpha.uucico(&["-r1"]).status.success());
    assert!(lab.alpha.uucico(&["-C", "-s", "beta"]).status.success());
    let log = lab.alpha.log();
    assert!(log.contains("No work") && !log.contains("ERROR"), "{log}");
    nobody_was_called(&lab);
    queue(&lab.alpha, "beta", "B");
    queue(&lab.beta, "alpha", "N");
    good_call(&lab);
    assert_eq!(waiting(&lab.alpha, "beta"), "N");
    // It does not hold back what the other side sends, nor what goes when that side calls.
    assert_eq!(waiting(&lab.beta, "alpha"), "");
}

#[test]
fn a_grade_is_asked_of_the_called_side_which_may_have_its_own_rule() {
    let lab = Lab::new("");
    lab.alpha.append("etc/sys", "call-timegrade C any\n");
    queue(&lab.alpha, "beta", "N");
    queue(&lab.beta, "alpha", "N");
    queue(&lab.beta, "alpha", "B");
    good_call(&lab);
    assert_eq!(waiting(&lab.beta, "alpha"), "N");
    assert_eq!(waiting(&lab.alpha, "beta"), "");
    // The called side's rule overrides the wish, both ways.
    let sys = fs::read_to_string(lab.beta.root.join("etc/sys")).unwrap();
    lab.beta
        .write("etc/sys", &format!("{sys}called-timegrade z any\n"));
    good_call(&lab);
    assert_eq!(waiting(&lab.beta, "alpha"), "");
    lab.beta
        .write("etc/sys", &format!("{sys}called-timegrade A any\n"));
    queue(&lab.beta, "alpha", "B");
    good_call(&lab);
    assert_eq!(waiting(&lab.beta, "alpha"), "B");
}

#[test]
fn a_rule_for_another_hour_is_none() {
    let lab =
        Lab::new("call-timegrade A never\ncall-local-size 1 never\ncall-remote-size 1 never\n");
    lab.beta.append(
        "etc/sys",
        "called-timegrade A never\ncalled-local-size 1 never\ncalled-remote-size 1 never\n",
    );
    lab.alpha.queue("beta", "joe", b"some bytes");
    lab.beta.queue("alpha", "joe", b"some bytes");
    good_call(&lab);
    assert_eq!((lab.alpha.queued("beta"), lab.beta.queued("alpha")), (0, 0));
}

/// Calls with a status file that says so; whether somebody was called, and what was printed.
fn with_status(lab: &Lab, status: &str) -> String {
    let folder = lab.alpha.root.join("spool/.Status");
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join("beta"), format!("{status} beta\n")).unwrap();
    text(&lab.alpha.uucico(&["-s", "beta"]))
}

#[test]
fn earlier_calls_hold_the_next_one_up() {
    let lab = Lab::new("success-wait 1000\nmax-retries 3\n");
    lab.alpha.write(
        "etc/port",
        &format!("port out\ntype tcp\nservice {}\n", free_port()),
    );
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let now = now.as_secs();
    let day = 24 * 3600;
    for (status, told) in [
        (
            format!("0 0 {} 0 Conversation complete", now - 900),
            "Retry time",
        ),
        (
            format!("0 0 {} 0 Conversation complete", now - 1001),
            "refused",
        ),
        (format!("5 1 {} 600 Call failed", now - 500), "Retry time"),
        (format!("5 1 {} 600 Call failed", now - 601), "refused"),
        (
            format!("5 3 {} 600 Call failed", now - 601),
            "Too many retries",
        ),
        (format!("5 3 {} 600 Call failed", now - day - 1), "refused"),
        // A clock that was set back holds nothing up.
        (format!("5 1 {} 600 Call failed", now + 5000), "refused"),
    ] {
        let said = with_status(&lab, &status);
        assert!(said.contains(told), "{status}: {said}");
    }
    nobody_was_called(&lab);
}

#[test]
fn a_time_may_name_the_wait_after_a_failure() {
    let lab = Lab::new("");
    lab.alpha.write(
        "etc/port",
        &format!("port out\ntype tcp\nservice {}\n", free_port()),
    );
    let sys = fs::read_to_string(lab.alpha.root.join("etc/sys")).unwrap();
    let wait = |time: &str| {
        lab.alpha
            .write("etc/sys", &sys.replace("time any", &format!("time {time}")));
        let _ = fs::remove_file(lab.alpha.root.join("spool/.Status/beta"));
        for _ in 0..2 {
            assert!(!lab.alpha.uucico(&["-S", "beta"]).status.success());
        }
        let status = lab.alpha.status("beta");
        let words: Vec<&str> = status.split(' ').collect();
        (words[1].to_owned(), words[3].to_owned())
    };
    assert_eq!(wait("any"), ("2".into(), "1200".into()));
    assert_eq!(wait("any 7"), ("2".into(), "420".into()));
}

#[test]
fn the_next_alternate_is_tried_where_the_first_reaches_nobody() {
    let lab = Lab::new("");
    let listening = fs::read_to_string(lab.alpha.root.join("etc/port")).unwrap();
    let dead = format!("port dead\ntype tcp\nservice {}\n", free_port());
    lab.alpha.write("etc/port", &format!("{listening}{dead}"));
    let sys = fs::read_to_string(lab.alpha.root.join("etc/sys")).unwrap();
    let sys = sys.replace("port out", "port dead");
    // One that says nothing about calling is for callers only.
    lab.alpha.write(
        "etc/sys",
        &format!("{sys}alternate\ncalled-login Uother\nalternate spare\nport out\n"),
    );
    lab.alpha.queue("beta", "joe", b"mail");
    good_call(&lab);
    let log = lab.alpha.log();
    assert_eq!(log.matches("(port dead)").count(), 1, "{log}");
    assert!(
        log.contains("Calling system beta (alternate spare, port out)"),
        "{log}"
    );
    assert_eq!(lab.beta.arrived("alpha"), [b"mail"]);
}

#[test]
fn a_system_goes_by_its_aliases_on_both_sides() {
    let lab = Lab::new("");
    let at = |node: &Node| fs::read_to_string(node.root.join("etc/sys")).unwrap();
    let (alpha, beta) = (at(&lab.alpha), at(&lab.beta));
    // Alpha knows beta as bee, alias beta; beta knows alpha as al, alias alpha.
    lab.alpha.write(
        "etc/sys",
        &alpha.replace("system beta", "system bee\nalias beta"),
    );
    lab.alpha.write("etc/call", "bee Ualpha secret-of-alpha\n");
    lab.beta.write(
        "etc/sys",
        &beta.replace("system alpha", "system al\nalias alpha"),
    );
    lab.alpha.queue("beta", "joe", b"mail");
    assert_eq!(lab.alpha.queued("bee"), 1);
    good_call(&lab);
    assert_eq!(lab.beta.arrived("al"), [b"mail"]);
}

#[test]
fn another_name_is_used_towards_those_that_know_us_by_it() {
    let lab = Lab::new("");
    // The caller's name is told by the system that it calls, the called side's by the login.
    lab.alpha.append("etc/sys", "myname alf\n");
    lab.beta.append("etc/sys", "myname bee\n");
    let (output, _) = lab.call();
    assert!(
        text(&output).contains("Called wrong system (bee)"),
        "{}",
        text(&output)
    );
    lab.alpha.append("etc/sys", "alias bee\n");
    lab.beta.append("etc/sys", "alias alf\n");
    lab.alpha.queue("beta", "joe", b"mail");
    good_call(&lab);
    assert_eq!(lab.beta.arrived("alpha"), [b"mail"]);
    // Another login hears the usual name.
    lab.beta.append("etc/passwd", "Uother pw\n");
    let mut peer = TcpStream::connect(lab.listener.local_addr().unwrap()).unwrap();
    let mut answerer = lab.beta.answer(&lab.listener, &["-l"]);
    peer.write_all(b"Uother\rpw\r").unwrap();
    peer.shutdown(std::net::Shutdown::Write).unwrap();
    let mut said = Vec::new();
    peer.read_to_end(&mut said).unwrap();
    answerer.wait().unwrap();
    assert!(
        said.ends_with(b"\x10Shere=beta\0"),
        "{}",
        said.escape_ascii()
    );
    // So does a login that the operating system has checked, and alpha's hears the other one.
    for (login, name) in [("Ualpha", "bee"), ("Uother", "beta")] {
        let greeting = lab.beta.uucico(&["-u", login]).stdout;
        let wanted = format!("\x10Shere={name}\0");
        assert_eq!(greeting, wanted.as_bytes(), "{login}");
    }
}

#[test]
fn a_system_that_is_not_known_is_described_by_the_config_file() {
    let lab = Lab::new("");
    let sys = fs::read_to_string(lab.beta.root.join("etc/sys")).unwrap();
    lab.beta
        .write("etc/sys", &sys.replace("system alpha", "system somebody"));
    lab.alpha.queue("beta", "joe", b"mail");
    let (output, _) = lab.call();
    assert!(text(&output).contains("unknown to me"), "{}", text(&output));
    lab.beta
        .append("etc/config", "unknown called-login Ualpha\n");
    good_call(&lab);
    assert_eq!(lab.beta.arrived("alpha"), [b"mail"]);
    lab.beta
        .append("etc/config", "unknown receive-request no\n");
    lab.alpha.queue("beta", "joe", b"more");
    good_call(&lab);
    assert_eq!(lab.beta.arrived("alpha").len(), 1);
}

#[test]
fn a_login_may_be_kept_to_the_systems_that_are_named_with_it() {
    let lab = Lab::new("");
    let sys = fs::read_to_string(lab.beta.root.join("etc/sys")).unwrap();
    let open = sys.replace("called-login Ualpha\n", "");
    for (listed, good) in [("other", false), ("other alpha", true)] {
        let line = format!("system third\ncalled-login Ualpha {listed}\n");
        lab.beta.write("etc/sys", &format!("{open}{line}"));
        let (output, _) = lab.call();
        assert_eq!(output.status.success(), good, "{listed}: {}", text(&output));
    }
}

#[test]
fn a_promise_to_call_back_is_no_failure_and_is_kept() {
    let lab = Lab::new("");
    lab.beta.append("etc/sys", "callback true\n");
    lab.alpha.queue("beta", "joe", b"mail");
    let folder = lab.beta.root.join("spool/.Status");
    fs::create_dir_all(&folder).unwrap();
    fs::write(
        folder.join("alpha"),
        "5 9 4000000000 99999 Call failed alpha\n",
    )
    .unwrap();
    good_call(&lab);
    assert!(lab.alpha.log().contains("Remote system will call back"));
    assert!(lab.alpha.status("beta").starts_with("0 0 "));
    assert_eq!(lab.alpha.queued("beta"), 1);
    // A poll request, and nothing of earlier failures that would hold the call up.
    assert_eq!(lab.beta.queued("alpha"), 1);
    assert!(lab.beta.status("alpha").starts_with("0 0 "));
}

/// A connection to the listener from an address that no proxy of this machine has.
fn connect_from(address: [u8; 4], lab: &Lab) -> TcpStream {
    let flags = SockFlag::empty();
    let line = socket(AddressFamily::Inet, SockType::Stream, flags, None).unwrap();
    let [a, b, c, d] = address;
    bind(line.as_raw_fd(), &SockaddrIn::new(a, b, c, d, 0)).unwrap();
    let SocketAddr::V4(to) = lab.listener.local_addr().unwrap() else {
        panic!("not IPv4");
    };
    connect(line.as_raw_fd(), &SockaddrIn::from(to)).unwrap();
    TcpStream::from(line)
}

#[test]
fn an_address_that_guesses_passwords_is_not_listened_to_for_a_while() {
    let lab = Lab::new("");
    let call = |address, password: &str| {
        let mut peer = connect_from(address, &lab);
        let socket = accept(&lab.listener);
        let mut answerer = lab
            .beta
            .command(UUCICO)
            .arg("-l")
            .stdin(OwnedFd::from(socket.try_clone().unwrap()))
            .stdout(OwnedFd::from(socket))
            .spawn()
            .unwrap();
        peer.write_all(format!("Ualpha\r{password}\r").as_bytes())
            .unwrap();
        peer.shutdown(std::net::Shutdown::Write).unwrap();
        let mut said = Vec::new();
        let _ = peer.read_to_end(&mut said);
        answerer.wait().unwrap();
        said.ends_with(b"\x10Shere=beta\0")
    };
    let right = "secret-of-alpha";
    for _ in 0..19 {
        assert!(!call([127, 0, 0, 2], "guess"));
    }
    assert!(call([127, 0, 0, 2], right));
    assert!(!call([127, 0, 0, 2], "guess"));
    assert!(!call([127, 0, 0, 2], right));
    let log = lab.beta.log();
    assert!(
        log.contains("too many bad logins from 127.0.0.2 in this hour"),
        "{log}"
    );
    // Everybody else comes in.
    assert!(call([127, 0, 0, 3], right) && call([127, 0, 0, 1], right));
}
