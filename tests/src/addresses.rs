//! Calls from many addresses: on one machine all would come from the same one.

use std::net::{Ipv4Addr, Shutdown, SocketAddrV4, TcpListener, TcpStream};
use std::os::fd::AsRawFd;
use std::thread;

use nix::sys::socket::{AddressFamily, SockFlag, SockType, SockaddrIn, bind, connect, socket};

/// A TCP port in front of another: the next call goes on from another address of 127.0.0.0/8. It takes calls until the
/// process ends.
#[derive(Debug)]
pub struct ManyAddresses {
    port: u16,
}

impl ManyAddresses {
    /// A port of its own that passes calls on to the port `target` of 127.0.0.1.
    pub fn to(target: u16) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a port");
        let port = listener.local_addr().expect("its number").port();
        thread::spawn(move || {
            for number in 1_u16.. {
                let Ok((caller, _)) = listener.accept() else {
                    return;
                };
                let [high, low] = number.to_be_bytes();
                let from = Ipv4Addr::new(127, 1, high, low);
                thread::spawn(move || pass(caller, from, target));
            }
        });
        Self { port }
    }

    /// The port to call.
    pub fn port(&self) -> u16 {
        self.port
    }
}

fn pass(caller: TcpStream, from: Ipv4Addr, target: u16) {
    let answerer = call_from(from, target);
    let twin = |stream: &TcpStream| stream.try_clone().expect("a second descriptor");
    let back = (twin(&answerer), twin(&caller));
    let answers = thread::spawn(move || carry(back.0, back.1));
    carry(caller, answerer);
    let _ = answers.join();
}

fn carry(mut from: TcpStream, mut to: TcpStream) {
    // A side that has hung up ends the copying; what the programs make of it is for them to say.
    let _ = std::io::copy(&mut from, &mut to);
    let _ = to.shutdown(Shutdown::Write);
}

/// The standard library cannot choose its own end's address.
fn call_from(from: Ipv4Addr, target: u16) -> TcpStream {
    let address = |ip, port| SockaddrIn::from(SocketAddrV4::new(ip, port));
    let end = socket(
        AddressFamily::Inet,
        SockType::Stream,
        SockFlag::SOCK_CLOEXEC,
        None,
    )
    .expect("a socket");
    bind(end.as_raw_fd(), &address(from, 0)).expect("an address of its own");
    connect(end.as_raw_fd(), &address(Ipv4Addr::LOCALHOST, target)).expect("the answerer");
    let stream = TcpStream::from(end);
    stream.set_nodelay(true).expect("no delay");
    stream
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn no_two_calls_come_from_the_same_address() {
        let far = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let line = ManyAddresses::to(far.local_addr().unwrap().port());
        let mut seen = HashSet::new();
        for _ in 0..3 {
            let call = TcpStream::connect(("127.0.0.1", line.port())).unwrap();
            seen.insert(far.accept().unwrap().1.ip());
            drop(call);
        }
        assert_eq!(seen.len(), 3);
    }
}
