use std::io::{Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, TcpListener, TcpStream};
use std::time::{Duration, Instant};

use nix::sys::socket::{getsockopt, sockopt};

use super::*;
use crate::config::port::IpVersion;
use crate::skip::skip;

fn words(text: &[&str]) -> Vec<Vec<u8>> {
    text.iter().map(|word| word.as_bytes().to_vec()).collect()
}

fn read_all(port: &mut dyn Port) -> Vec<u8> {
    let mut all = Vec::new();
    let mut buffer = [0; 100];
    let deadline = Instant::now() + Duration::from_mins(2);
    loop {
        assert!(Instant::now() < deadline, "no end of the line");
        match port.read(&mut buffer).unwrap() {
            PortRead::Bytes(count) => all.extend_from_slice(&buffer[..count]),
            PortRead::Nothing => {
                wait(port.descriptors(), false, None, Some(deadline)).unwrap();
            }
            PortRead::HangUp => return all,
        }
    }
}

#[test]
fn a_pipe_command_gets_the_address_and_the_system_as_whole_words() {
    let command = words(&[
        "/bin/sh",
        "-c",
        "echo $0 $1 $2 $3",
        "\\H",
        "\\Z",
        "x\\Z",
        "-",
    ]);
    let mut port = PipePort::open(&command, b"host.example", b"beta", LineTraits::PIPE).unwrap();
    assert_eq!(read_all(&mut port), b"host.example beta x\\Z -\n");
}

#[test]
fn a_pipe_command_that_does_not_end_is_ended_with_its_children() {
    let command = words(&[
        "/bin/sh",
        "-c",
        "trap '' TERM HUP; exec 1>&-; sleep 1000 & wait",
    ]);
    let mut port = PipePort::open(&command, b"", b"", LineTraits::PIPE).unwrap();
    let start = Instant::now();
    port.hang_up();
    assert!(start.elapsed() < Duration::from_mins(2));
    // Nobody is left to write to: the pipe is broken, without a signal.
    assert!(port.write(b"x").is_err());
}

#[test]
fn a_missing_pipe_command_is_told_by_name() {
    let error =
        PipePort::open(&words(&["/no/such/program"]), b"", b"", LineTraits::PIPE).unwrap_err();
    assert!(error.to_string().contains("/no/such/program"));
}

#[test]
fn what_was_written_before_the_hang_up_arrives() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let target = TcpTarget {
        host: "127.0.0.1".into(),
        service: listener.local_addr().unwrap().port().to_string(),
        version: None,
    };
    let peer = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        // Unread input at the other side must not become a reset that swallows our last words.
        stream.write_all(b"unread").unwrap();
        let mut all = Vec::new();
        stream.read_to_end(&mut all).unwrap();
        all
    });
    let mut port = connect(&target).unwrap();
    let deadline = Some(Instant::now() + Duration::from_mins(2));
    assert!(
        wait(port.descriptors(), true, None, deadline)
            .unwrap()
            .writable
    );
    assert_eq!(port.write(b"last words").unwrap(), 10);
    port.hang_up();
    assert_eq!(peer.join().unwrap(), b"last words");
}

#[test]
fn what_the_line_is_good_for_decides_which_protocols_are_thought_of() {
    let letters = |line: LineTraits| -> String {
        let usable = crate::link::KNOWN
            .iter()
            .filter(|one| line.satisfy(one.traits));
        usable.map(|one| char::from(one.letter)).collect()
    };
    // The manual, *Protocol Selection*: both ends of a TCP connection know; elsewhere the port file tells.
    for (line, seven_bit, reliable, wanted) in [
        (LineTraits::TCP, false, None, "teigGjfvya"),
        (LineTraits::TCP, false, Some(false), "igGjva"),
        (LineTraits::TCP, true, None, "f"),
        (LineTraits::PIPE, false, None, "igGjfvya"),
        (LineTraits::PIPE, false, Some(true), "igGjfvya"),
        (LineTraits::PIPE, false, Some(false), "igGjva"),
        (LineTraits::PIPE, true, None, "f"),
        (LineTraits::PIPE, true, Some(false), ""),
    ] {
        assert_eq!(letters(line.limited(seven_bit, reliable)), wanted);
    }
}

#[test]
fn services_have_names_and_numbers() {
    assert_eq!(service_number("15540").unwrap(), 15540);
    assert_eq!(service_number("uucp").unwrap(), 540);
    assert_eq!(service_number("suucp").unwrap(), 4031);
    assert!(service_number("no-such-service").is_err());
}

/// Whether this machine has an address of this version to talk to itself.
fn has_loopback(address: IpAddr) -> bool {
    match TcpListener::bind((address, 0)) {
        Ok(_) => true,
        Err(error) => {
            skip("a line over TCP", &format!("no {address}: {error}"));
            false
        }
    }
}

const LOOPBACKS: [IpAddr; 2] = [
    IpAddr::V4(Ipv4Addr::LOCALHOST),
    IpAddr::V6(Ipv6Addr::LOCALHOST),
];

#[test]
fn a_listener_takes_calls_over_both_versions_of_ip() {
    let listener = Listener::bind(0, None).unwrap();
    let number = listener.port().unwrap();
    for loopback in LOOPBACKS {
        if !has_loopback(loopback) {
            continue;
        }
        let mut peer = TcpStream::connect((loopback, number)).unwrap();
        let (stream, address) = std::iter::repeat_with(|| listener.try_accept())
            .flatten()
            .next()
            .unwrap();
        assert_eq!(address, loopback);
        peer.write_all(b"hello").unwrap();
        drop(peer);
        let mut port = accepted_port(stream).unwrap();
        assert_eq!(read_all(&mut *port), b"hello");
    }
}

#[test]
fn a_listener_of_one_version_takes_no_calls_of_the_other() {
    let versions = [IpVersion::V4, IpVersion::V6];
    for (at, (loopback, version)) in LOOPBACKS.into_iter().zip(versions).enumerate() {
        if !has_loopback(loopback) {
            continue;
        }
        let listener = Listener::bind(0, Some(version)).unwrap();
        let number = listener.port().unwrap();
        assert!(TcpStream::connect((loopback, number)).is_ok());
        // A system may have an IPv6 socket take IPv4 as well; never the other way.
        if at == 0 {
            assert!(TcpStream::connect((LOOPBACKS[1], number)).is_err());
        }
    }
}

#[test]
fn a_neighbour_is_reached_over_both_versions_of_ip() {
    for (host, loopback) in ["127.0.0.1", "::1"].into_iter().zip(LOOPBACKS) {
        if !has_loopback(loopback) {
            continue;
        }
        let listener = TcpListener::bind((loopback, 0)).unwrap();
        let target = |version| TcpTarget {
            host: host.into(),
            service: listener.local_addr().unwrap().port().to_string(),
            version,
        };
        let own = if loopback.is_ipv4() {
            [IpVersion::V4, IpVersion::V6]
        } else {
            [IpVersion::V6, IpVersion::V4]
        };
        for version in [None, Some(own[0])] {
            let mut port = connect(&target(version)).unwrap();
            let (mut peer, from) = listener.accept().unwrap();
            assert_eq!(from.ip(), loopback);
            peer.write_all(b"Shere").unwrap();
            drop(peer);
            assert_eq!(read_all(&mut *port), b"Shere");
        }
        // Of the other version it has no address.
        let error = connect(&target(Some(own[1]))).err().unwrap().to_string();
        assert!(error.contains(host), "{error}");
    }
}

/// A peer that is gone is noticed, what is short goes out at once, and a server can begin anew on its port.
#[test]
fn sockets_have_the_options_that_a_call_needs() {
    let told = |port: &dyn Port| {
        let (input, output) = port.descriptors();
        for line in [input, output] {
            assert!(getsockopt(&line, sockopt::TcpNoDelay).unwrap());
            assert!(getsockopt(&line, sockopt::KeepAlive).unwrap());
        }
    };
    let listener = Listener::bind(0, Some(IpVersion::V4)).unwrap();
    for socket in listener.descriptors() {
        assert!(getsockopt(&socket, sockopt::ReuseAddr).unwrap());
    }
    let target = TcpTarget {
        host: "127.0.0.1".into(),
        service: listener.port().unwrap().to_string(),
        version: None,
    };
    told(&*connect(&target).unwrap());
    let mut accepted = std::iter::repeat_with(|| listener.try_accept()).flatten();
    let (stream, _) = accepted.next().unwrap();
    assert!(!getsockopt(&stream, sockopt::KeepAlive).unwrap());
    told(&*accepted_port(stream).unwrap());
}
