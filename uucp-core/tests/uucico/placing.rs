//! When a call is placed, and how it ends before its time.

use std::fs;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::process::Stdio;

use crate::lab::{Lab, UUCICO, accept, script, terminate, text};
use crate::server::free_port;
use crate::skip::skip;

/// As every example with the port in sys shows it.
#[test]
fn a_port_of_the_system_itself_is_tcp_in_the_log() {
    let lab = Lab::new("");
    let port = lab.listener.local_addr().unwrap().port();
    let sys = fs::read_to_string(lab.alpha.root.join("etc/sys")).unwrap();
    let inline = format!("port type tcp\nport service {port}");
    lab.alpha
        .write("etc/sys", &sys.replace("port out", &inline));
    let (caller, answered) = lab.call();
    assert!(caller.status.success() && answered, "{}", text(&caller));
    let log = lab.alpha.log();
    assert!(log.contains(") Calling system beta (port TCP)\n"), "{log}");
}

#[test]
fn a_failed_call_is_not_repeated_at_once_unless_forced() {
    let lab = Lab::new("");
    lab.alpha.queue("beta", "joe", b"mail");
    let caller = lab
        .alpha
        .command(UUCICO)
        .args(["-s", "beta"])
        .spawn()
        .unwrap();
    drop(accept(&lab.listener));
    assert_eq!(caller.wait_with_output().unwrap().status.code(), Some(1));
    let lost = "ERROR: Line disconnected in chat script, looking for \"ogin:\"\n";
    assert!(lab.alpha.log().contains(lost), "{}", lab.alpha.log());
    assert!(
        lab.alpha.status("beta").starts_with("3 1 "),
        "{}",
        lab.alpha.status("beta")
    );
    let again = lab.alpha.uucico(&["-s", "beta"]);
    assert_eq!(again.status.code(), Some(1));
    assert!(
        text(&again).contains("Retry time not reached"),
        "{}",
        text(&again)
    );
    let log = lab.alpha.log();
    assert!(log.contains(") Retry time not reached ("), "{log}");
    assert!(
        log.contains(" minutes left; 'uucico -S beta' calls now)\n"),
        "{log}"
    );
    let quiet = lab.alpha.uucico(&["-c", "-s", "beta"]);
    assert_eq!(text(&quiet), "");
    let (forced, _) = lab.call();
    assert!(forced.status.success(), "{}", text(&forced));
    assert_eq!(lab.alpha.queued("beta"), 0);
    assert!(lab.alpha.status("beta").starts_with("0 0 "));
}

#[test]
fn what_cannot_be_called_is_told() {
    let lab = Lab::new("");
    let unknown = lab.alpha.uucico(&["-s", "gamma"]);
    assert_eq!(unknown.status.code(), Some(1));
    assert!(text(&unknown).contains("gamma: System not found"));
    // Without work -C is content, and nobody is called.
    assert!(lab.alpha.uucico(&["-C", "-s", "beta"]).status.success());
    assert!(lab.alpha.uucico(&["-r1"]).status.success());
    let sys = fs::read_to_string(lab.alpha.root.join("etc/sys")).unwrap();
    lab.alpha
        .write("etc/sys", &sys.replace("time any", "time never"));
    let never = lab.alpha.uucico(&["-s", "beta"]);
    assert!(
        text(&never).contains("Wrong time to call"),
        "{}",
        text(&never)
    );
    // It is no error, and no call to tell of.
    let log = lab.alpha.log();
    let told = ") Wrong time to call (never is right; see 'time', 'port' and 'address' in sys)\n";
    assert!(log.contains(told), "{log}");
    assert!(!lab.alpha.root.join("spool/.Status/beta").exists());
    lab.listener.set_nonblocking(true).unwrap();
    assert!(lab.listener.accept().is_err(), "somebody was called");
}

#[test]
fn a_neighbour_whose_address_is_of_ipv6_is_called() {
    let mut lab = Lab::new("");
    lab.listener = match TcpListener::bind(("::1", free_port())) {
        Ok(listener) => listener,
        Err(error) => return skip("a call over IPv6", &format!("no ::1: {error}")),
    };
    let number = lab.listener.local_addr().unwrap().port();
    let port = format!("port out\ntype tcp\nservice {number}\n");
    lab.alpha.write("etc/port", &port);
    let sys = fs::read_to_string(lab.alpha.root.join("etc/sys")).unwrap();
    let sys = sys.replace("address 127.0.0.1", "address ::1");
    lab.alpha.write("etc/sys", &sys);
    lab.alpha.queue("beta", "joe", b"mail");
    let (output, answered) = lab.call();
    assert!(output.status.success() && answered, "{}", text(&output));
    assert_eq!(lab.beta.arrived("alpha"), [b"mail"]);
}

#[test]
fn what_our_own_files_keep_from_beginning_is_logged_and_rests() {
    for (file, part) in [("call", "etc/call"), ("sys", "etc/sys")] {
        let lab = Lab::new("");
        lab.alpha.queue("beta", "joe", b"mail");
        if file == "sys" {
            lab.alpha.append("etc/sys", "retry-wait x\n");
        } else {
            fs::remove_file(lab.alpha.root.join("etc/call")).unwrap();
            fs::create_dir(lab.alpha.root.join("etc/call")).unwrap();
        }
        lab.alpha.append("etc/sys", "system gamma\ntime never\n");
        // As the daemon places calls.
        let output = lab.alpha.uucico(&["--quiet", "-C", "-s", "beta"]);
        assert_eq!(output.status.code(), Some(1));
        let log = lab.alpha.log();
        let told = log.lines().find(|line| line.contains("ERROR: "));
        let told = told.unwrap_or_else(|| panic!("{file}: {log}"));
        assert!(told.starts_with("uucico beta - ("), "{told}");
        assert!(told.contains(part), "{told}");
        let status = lab.alpha.status("beta");
        assert!(status.starts_with("5 1 "), "{file}: {status}");
        assert_eq!(lab.alpha.queued("beta"), 1);
    }
}

#[test]
fn who_calls_sees_nothing_of_our_files() {
    let lab = Lab::new("");
    lab.alpha.append("etc/config", "max-uuxqts many\n");
    for by_ssh in [false, true] {
        let (mut here, line) = UnixStream::pair().unwrap();
        let mut command = lab.alpha.command(UUCICO);
        command
            .arg("-l")
            .stdin(OwnedFd::from(line.try_clone().unwrap()))
            .stdout(OwnedFd::from(line.try_clone().unwrap()))
            .stderr(OwnedFd::from(line));
        if by_ssh {
            command.env("SSH_CONNECTION", "192.0.2.1 1 192.0.2.2 22");
            command.stderr(Stdio::piped());
        }
        let mut child = command.spawn().unwrap();
        // It holds our end as well.
        drop(command);
        let mut seen = String::new();
        here.read_to_string(&mut seen).unwrap();
        if let Some(mut stderr) = child.stderr.take() {
            stderr.read_to_string(&mut seen).unwrap();
        }
        assert_eq!(child.wait().unwrap().code(), Some(1));
        assert_eq!(seen, "uucico: this system cannot answer now\n");
    }
    let log = lab.alpha.log();
    let told: Vec<&str> = log
        .lines()
        .filter(|line| line.contains("ERROR: Call not answered: "))
        .collect();
    assert_eq!(told.len(), 2, "{log}");
    assert!(told[0].contains("etc/config: line 9, column 12: "), "{log}");
}

#[test]
fn nobody_there_is_a_dial_failure() {
    let lab = Lab::new("");
    lab.alpha.queue("beta", "joe", b"mail");
    let Lab {
        listener, alpha, ..
    } = &lab;
    let port = listener.local_addr().unwrap().port();
    let closed = free_port();
    assert_ne!(port, closed);
    alpha.write(
        "etc/port",
        &format!("port out\ntype tcp\nservice {closed}\n"),
    );
    let output = alpha.uucico(&["-S", "beta"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(
        alpha.status("beta").starts_with("2 1 "),
        "{}",
        alpha.status("beta")
    );
    assert_eq!(alpha.queued("beta"), 1);
}

#[test]
fn a_signal_in_mid_call_leaves_the_jobs_and_no_lock() {
    let lab = Lab::new("protocol t");
    lab.alpha.queue("beta", "joe", &vec![b'x'; 3_000_000]);
    let caller = lab
        .alpha
        .command(UUCICO)
        .args(["-S", "beta"])
        .spawn()
        .unwrap();
    let mut peer = accept(&lab.listener);
    // A peer that takes the request and no file.
    let mut expect = |wanted: &[u8]| {
        let mut seen = Vec::new();
        while !seen.ends_with(wanted) {
            let mut byte = [0];
            peer.read_exact(&mut byte).unwrap();
            seen.push(byte[0]);
        }
        peer.try_clone().unwrap()
    };
    let mut peer = TcpStream::from(OwnedFd::from({
        let mut line = expect(b"");
        line.write_all(b"login: ").unwrap();
        expect(b"Ualpha\r").write_all(b"Password:").unwrap();
        expect(b"secret-of-alpha\r")
            .write_all(b"\x10Shere=beta\0")
            .unwrap();
        expect(b"N07147\0")
            .write_all(b"\x10ROKN047\0\x10Pt\0")
            .unwrap();
        expect(b"\x10Ut\0");
        let mut request = vec![0; 512];
        line.read_exact(&mut request).unwrap();
        let mut yes = b"EY".to_vec();
        yes.resize(512, 0);
        line.write_all(&yes).unwrap();
        line
    }));
    peer.read_exact(&mut [0; 1000]).unwrap();
    assert_eq!(
        fs::read_dir(lab.alpha.root.join("lock")).unwrap().count(),
        1
    );
    terminate(&caller);
    assert_eq!(caller.wait_with_output().unwrap().status.code(), Some(1));
    assert_eq!(lab.alpha.queued("beta"), 1);
    assert_eq!(lab.alpha.names("beta/D.").len(), 1);
    assert_eq!(
        fs::read_dir(lab.alpha.root.join("lock")).unwrap().count(),
        0
    );
    let log = lab.alpha.log();
    assert!(log.contains("ERROR: Got termination signal"), "{log}");
}

#[test]
fn with_z_the_next_alternate_is_tried_after_a_call_that_failed() {
    for try_next in [true, false] {
        let lab = Lab::new("");
        lab.alpha
            .append("etc/sys", "alternate second\nmyname alpha\ncall-login *\n");
        lab.alpha.queue("beta", "joe", b"mail");
        let options = if try_next { "-zS" } else { "-S" };
        let caller = lab
            .alpha
            .command(UUCICO)
            .args([options, "beta"])
            .spawn()
            .unwrap();
        // The first time it is reached, and fails.
        drop(accept(&lab.listener));
        if try_next {
            let mut answerer = lab.beta.answer(&lab.listener, &["-l"]);
            assert!(answerer.wait().unwrap().success());
        }
        let output = caller.wait_with_output().unwrap();
        assert_eq!(output.status.success(), try_next, "{}", text(&output));
        assert_eq!(lab.beta.arrived("alpha").len(), usize::from(try_next));
        assert_eq!(lab.alpha.queued("beta"), usize::from(!try_next));
        lab.listener.set_nonblocking(true).unwrap();
        assert!(lab.listener.accept().is_err(), "called once more");
    }
}

/// How often beta is called over two alternates, of which each ends with what a program on the line does.
fn calls(port: &str, sys: &str, program: &str) -> usize {
    let lab = Lab::new("");
    let program = script(&lab.alpha, "program", program).display().to_string();
    let with_program = |text: &str| text.replace("PROGRAM", &program);
    lab.alpha.append("etc/port", &with_program(port));
    let sys = format!("{}alternate\nport out\n", with_program(sys));
    lab.alpha.append("etc/sys", &sys);
    lab.alpha.write(
        "etc/dial",
        &with_program("dialer d\nchat-program PROGRAM\n"),
    );
    lab.alpha.queue("beta", "joe", b"mail");
    let output = lab.alpha.uucico(&["-zS", "beta"]);
    assert!(!output.status.success(), "{}", text(&output));
    lab.alpha.log().matches("Calling system beta").count()
}

#[test]
fn who_is_told_to_end_tries_no_other_alternate() {
    for (port, sys) in [
        // The signal comes while it dials, or after that.
        ("dialer-sequence d\n", ""),
        ("", "chat \"\"\nchat-program PROGRAM\n"),
    ] {
        assert_eq!(calls(port, sys, "exit 1"), 2, "{port}{sys}");
        let stop = "kill -TERM $PPID; sleep 100000";
        assert_eq!(calls(port, sys, stop), 1, "{port}{sys}");
    }
}

#[test]
fn a_port_that_linux_has_not_is_passed_over_for_the_next_of_its_name() {
    let lab = Lab::new("");
    let tcp = fs::read_to_string(lab.alpha.root.join("etc/port")).unwrap();
    let tli = "port out\ntype tli\ndevice /dev/null\npush tirdwr\nserver-address \\x00\\x02\n";
    lab.alpha.write("etc/port", &format!("{tli}\n{tcp}"));
    let (output, answered) = lab.call();
    assert!(output.status.success() && answered, "{}", text(&output));
    // With no other port the call fails.
    lab.alpha.write("etc/port", tli);
    let output = lab.alpha.uucico(&["-S", "beta"]);
    assert_eq!(output.status.code(), Some(1), "{}", text(&output));
    assert!(text(&output).contains("tli"), "{}", text(&output));
}

#[test]
fn who_names_a_port_that_takes_no_calls_does_not_answer_on_standard_input() {
    let lab = Lab::new("");
    lab.alpha.append(
        "etc/port",
        "port old\ntype tli\nport through\ntype pipe\ncommand /bin/false\n",
    );
    for (port, wrong) in [
        ("old", "calls are waited for on ports of type tcp"),
        ("through", "calls are waited for on ports of type tcp"),
        ("nosuch", "Port not found"),
    ] {
        for options in [&["-p", port][..], &["-e", "-p", port]] {
            let output = lab.alpha.uucico(options);
            assert_eq!(output.status.code(), Some(1));
            assert!(output.stdout.is_empty(), "{}", text(&output));
            assert!(text(&output).contains(wrong), "{}", text(&output));
        }
    }
}

#[test]
fn who_calls_stays_in_the_foreground_and_tells_how_it_ended() {
    let lab = Lab::new("");
    for answered in [true, false] {
        // A process that leads its group, as a shell with job control starts it.
        let caller = lab
            .alpha
            .command(UUCICO)
            .args(["-S", "beta"])
            .process_group(0)
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let pid = caller.id();
        if answered {
            let mut answerer = lab.beta.answer(&lab.listener, &["-l"]);
            assert!(answerer.wait().unwrap().success());
        } else {
            drop(accept(&lab.listener));
        }
        let output = caller.wait_with_output().unwrap();
        assert_eq!(output.status.success(), answered, "{}", text(&output));
        let log = lab.alpha.log();
        assert!(
            log.contains(&format!(" {pid}) Calling system beta")),
            "{log}"
        );
    }
}
