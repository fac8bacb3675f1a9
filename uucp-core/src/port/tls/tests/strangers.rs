//! Other sides that speak no TLS, another TLS, or show or ask for no certificate.

use std::io::Read;
use std::thread;

use super::*;

/// All that comes.
fn heard(mut near: TcpStream) -> Vec<u8> {
    let mut heard = Vec::new();
    let _ = near.read_to_end(&mut heard);
    heard
}

/// Somebody says `words` to an answerer and waits; what the answerer makes of it, and what it says.
fn greeted(words: &[u8], patience: Patience<'_>) -> (String, Vec<u8>) {
    let (mut near, far) = sockets();
    near.write_all(words).unwrap();
    let (leaf, hub) = (made("leaf"), made("hub"));
    let reader = thread::spawn(move || heard(near));
    let line = accepted_port(far).unwrap();
    let told = fault(TlsPort::answer(line, &hub, pin(&leaf), patience));
    (told, reader.join().unwrap())
}

/// The first words of a client that knows nothing newer than TLS 1.2.
fn old_hello() -> Vec<u8> {
    let mut body = vec![3, 3];
    body.extend([7; 32]);
    // No session; two suites; no compression; groups, signatures, point formats.
    body.extend([0, 0, 4, 0xc0, 0x2b, 0xc0, 0x2f, 1, 0]);
    let extensions = [
        &[0, 10, 0, 4, 0, 2, 0, 23][..],
        &[0, 13, 0, 6, 0, 4, 4, 3, 8, 4][..],
        &[0, 11, 0, 2, 1, 0][..],
    ]
    .concat();
    body.extend([0, u8::try_from(extensions.len()).unwrap()]);
    body.extend(extensions);
    let length = u8::try_from(body.len()).unwrap();
    let head = [22, 3, 1, 0, length + 4, 1, 0, 0, length];
    [&head[..], &body].concat()
}

#[test]
fn strangers_to_tls_are_told_apart() {
    let (told, said) = greeted(&old_hello(), patience());
    assert!(told.contains("does not speak TLS 1.3"), "{told}");
    // An alert: protocol_version.
    assert_eq!(said, [21, 3, 3, 0, 2, 2, 70]);
    // A carriage return is all that a caller says before it sees a prompt.
    for words in [&b"\rUleaf\rsecret\r"[..], b"\r"] {
        let (told, said) = greeted(words, patience());
        assert!(told.contains("does not speak TLS;"), "{told}");
        assert!(said.len() <= 7, "{}", said.escape_ascii());
    }
    for words in [&b""[..], &old_hello()[..20]] {
        let (told, said) = greeted(words, no_patience());
        assert!(
            told.contains("did not finish the TLS handshake in time"),
            "{told}"
        );
        assert!(said.is_empty(), "{}", said.escape_ascii());
    }
}

#[test]
fn a_server_without_tls_gets_nothing_but_a_greeting() {
    let (mut near, far) = sockets();
    near.write_all(b"hub login: ").unwrap();
    let (leaf, hub) = (made("leaf"), made("hub"));
    let reader = thread::spawn(move || heard(near));
    let line = accepted_port(far).unwrap();
    let told = fault(TlsPort::call(line, &leaf, pin(&hub), "hub", patience()));
    assert!(
        told.contains("does not speak TLS; is its port of type tcp"),
        "{told}"
    );
    let heard = reader.join().unwrap();
    assert_eq!(heard[..2], [22, 3]);
    let (near, far) = sockets();
    drop(near);
    let line = accepted_port(far).unwrap();
    let told = fault(TlsPort::call(line, &leaf, pin(&hub), "hub", patience()));
    assert!(told.contains("hung up in the TLS handshake"), "{told}");
}

#[test]
fn a_caller_without_a_certificate_is_refused() {
    let (near, far) = sockets();
    let hub = made("hub");
    let provider = Arc::new(ring::default_provider());
    let verifier = Arc::new(Verifier::new(pin(&hub), provider.clone()));
    let config = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&TLS13])
        .unwrap()
        .dangerous()
        .with_custom_certificate_verifier(verifier)
        .with_no_client_auth();
    let name = ServerName::try_from("hub").unwrap();
    let mut session = ClientConnection::new(Arc::new(config), name).unwrap();
    let client = thread::spawn(move || {
        let mut near = near;
        let mut stream = rustls::Stream::new(&mut session, &mut near);
        let mut heard = Vec::new();
        let _ = stream.write_all(b"Uleaf\r");
        let _ = stream.read_to_end(&mut heard);
        heard
    });
    let line = accepted_port(far).unwrap();
    let told = fault(TlsPort::answer(line, &hub, pin(&hub), patience()));
    assert!(told.contains("shows no certificate"), "{told}");
    assert!(client.join().unwrap().is_empty());
}

#[test]
fn a_server_that_asks_for_no_certificate_hears_nothing_of_a_call() {
    let (near, far) = sockets();
    let (leaf, hub) = (made("leaf"), made("hub"));
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_protocol_versions(&[&TLS13])
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(hub.chain.clone(), hub.key.clone_key())
        .unwrap();
    let mut session = ServerConnection::new(Arc::new(config)).unwrap();
    let server = thread::spawn(move || {
        let mut near = near;
        let mut stream = rustls::Stream::new(&mut session, &mut near);
        let mut heard = Vec::new();
        let ended = stream.read_to_end(&mut heard);
        (ended.is_ok(), heard)
    });
    let line = accepted_port(far).unwrap();
    let told = fault(TlsPort::call(line, &leaf, pin(&hub), "hub", patience()));
    assert!(told.contains("does not ask for our certificate"), "{told}");
    assert_eq!(server.join().unwrap(), (true, Vec::new()));
}
