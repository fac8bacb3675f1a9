use super::*;
use crate::config::error::ConfigError;

fn ports(text: &str) -> Result<Vec<PortConfig>, ConfigError> {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), text).unwrap();
    let mut all = Vec::new();
    let never: Option<()> = find_port(
        file.path(),
        |_| true,
        |port| {
            all.push(port);
            None
        },
    )?;
    assert_eq!(never, None);
    Ok(all)
}

fn only(text: &str) -> PortConfig {
    let mut all = ports(text).unwrap();
    assert_eq!(all.len(), 1, "{all:?}");
    all.remove(0)
}

fn error(text: &str) -> String {
    let line = ports(text).unwrap_err().to_one_line();
    line.split_once(':').unwrap().1.to_owned()
}

#[test]
fn a_port_without_a_type_is_a_modem_with_taylors_defaults() {
    let port = only("port ACU\n");
    let PortKind::Modem(modem) = &port.kind else {
        panic!("{port:?}");
    };
    assert!(modem.carrier && modem.hardflow);
    assert_eq!((&modem.device, modem.speed), (&None, None));
    assert_eq!((port.seven_bit, port.reliable), (false, None));
}

#[test]
fn every_command_of_every_type_has_its_value() {
    let port = only(
        "port m\ntype modem\ndevice /dev/ttyS3\nspeed 57600\nspeed-range 300 57600\ncarrier n\nhardflow n\n\
         dial-device /dev/cu3\ndialer hayes\nlockname LCK..x\nprotocol gi\nprotocol-parameter g Packet-Size 128\n\
         seven-bit y\nreliable n\nhalf-duplex y\n",
    );
    assert_eq!(
        port,
        PortConfig {
            name: "m".to_owned(),
            kind: PortKind::Modem(ModemPort {
                device: Some("/dev/ttyS3".into()),
                speed: Some(57600),
                speed_range: Some((300, 57600)),
                carrier: false,
                hardflow: false,
                dial_device: Some("/dev/cu3".into()),
                dialer: Some(DialerChoice::Named("hayes".to_owned())),
            }),
            protocols: Some(b"gi".to_vec()),
            protocol_parameters: vec![ProtocolParameter {
                letter: b'g',
                name: "packet-size".to_owned(),
                value: "128".to_owned(),
            }],
            seven_bit: true,
            reliable: Some(false),
            half_duplex: true,
            lockname: Some("LCK..x".to_owned()),
        }
    );
    let direct =
        only("port d\ntype direct\ndevice /dev/x\nbaud 9600\ncarrier y\nhardflow n\n").kind;
    assert_eq!(
        direct,
        PortKind::Direct(DirectPort {
            device: Some("/dev/x".into()),
            speed: Some(9600),
            carrier: true,
            hardflow: false
        })
    );
    let tcp = only("port t\ntype TCP\nservice 5540\nversion 6\ndialer-sequence a \\T b\n").kind;
    let step = |dialer: &str, token: Option<&str>| DialerStep {
        dialer: dialer.to_owned(),
        token: token.map(str::to_owned),
    };
    assert_eq!(
        tcp,
        PortKind::Tcp(TcpPort {
            service: "5540".to_owned(),
            version: Some(IpVersion::V6),
            dialer: Some(DialerChoice::Sequence(vec![
                step("a", Some("\\T")),
                step("b", None)
            ])),
        })
    );
    let tls =
        only("port e\ntype tls\nservice 4031\nversion 4\ncertificate /c\nkey k\nca /a\n").kind;
    assert_eq!(
        tls,
        PortKind::Tls(TlsPort {
            service: "4031".to_owned(),
            version: Some(IpVersion::V4),
            certificate: "/c".into(),
            key: "k".into(),
            ca: Some("/a".into()),
        })
    );
    let tli =
        only("port t\ntype tli\ndevice /dev/tcp\nstream y\npush a b\nserver-address \\x00\\x02\n")
            .kind;
    assert_eq!(
        tli,
        PortKind::Tli(TliPort {
            device: Some("/dev/tcp".into()),
            stream: true,
            push: vec!["a".to_owned(), "b".to_owned()],
            dialer: None,
            server_address: Some(b"\0\x02".to_vec()),
        })
    );
    assert_eq!(only("port s\ntype stdin\n").kind, PortKind::Stdin);
}

#[test]
fn a_pipe_has_its_command_word_by_word() {
    let PortKind::Pipe(pipe) = only("port p\ntype pipe\ncommand /bin/ssh -q \\H \\Z\n").kind else {
        panic!("not a pipe");
    };
    assert_eq!(pipe.command, [&b"/bin/ssh"[..], b"-q", b"\\H", b"\\Z"]);
}

#[test]
fn defaults_are_for_ports_of_their_type() {
    let all =
        ports("type tcp\nservice 1\nseven-bit y\nport a\nport b\ntype pipe\nport c\ntype tcp\n")
            .unwrap();
    let services: Vec<_> = all.iter().map(|port| format!("{:?}", port.kind)).collect();
    assert!(services[0].contains("\"1\"") && services[2].contains("\"1\""));
    assert_eq!(all[1].kind, PortKind::Pipe(PipePort::default()));
    assert!(all.iter().all(|port| port.seven_bit));
    // As in Taylor, a device before `type tcp` is forgotten.
    assert_eq!(
        only("port p\ndevice /dev/y\ntype tcp\n").kind,
        only("port p\ntype tcp\n").kind
    );
}

#[test]
fn a_command_without_its_word_unsets_what_the_defaults_say() {
    let modem = "device /x\ndial-device /y\ndialer-sequence a\nport p\ndevice\ndial-device\ndialer-sequence\n";
    assert_eq!(only(modem).kind, only("port p\n").kind);
    let tls =
        "type tls\nservice 1\ncertificate a\nkey b\nca c\nport p\nservice\ncertificate\nkey\nca\n";
    assert_eq!(only(tls).kind, PortKind::Tls(TlsPort::default()));
    let tcp = "type tcp\nservice 1\nport p\nservice\n";
    assert_eq!(only(tcp).kind, only("port p\ntype tcp\n").kind);
}

#[test]
fn a_dialer_may_be_described_with_the_port() {
    let port = only("port p\ndialer chat \"\" ATZ\ndialer chat-fail BUSY\n");
    let PortKind::Modem(ModemPort {
        dialer: Some(DialerChoice::Inline(dialer)),
        ..
    }) = port.kind
    else {
        panic!("{port:?}");
    };
    assert_eq!(dialer.chat.fail, [b"BUSY".to_vec()]);
    let named = only("port p\ndialer chat \"\" ATZ\ndialer hayes\n");
    assert!(format!("{named:?}").contains("Named(\"hayes\")"));
}

#[test]
fn wrong_commands_are_told_with_their_place() {
    for (text, wanted) in [
        (
            "port p\nservice 1\n",
            "2:1: 'service' is not a command of ports of type modem ('type' must come first; a port without it is a modem)",
        ),
        (
            "port p\ntype foo\n",
            "2:6: 'foo' is not a type of port (types are stdin, modem, direct, tcp, tls, tli, pipe)",
        ),
        (
            "port p\ntype tcp\nversion 5\n",
            "3:9: '5' is not a version of IP (write 4, 6, or 0 for any)",
        ),
        (
            "port p\nreliabel y\n",
            "2:1: 'reliabel' is not a command of a port file (did you mean 'reliable'?)",
        ),
        (
            "port p q\n",
            "1:8: 'port' takes one word after it, not 2 (words cannot be quoted; '#' begins a comment)",
        ),
        (
            "port p\nspeed-range 9 1\n",
            "2:13: the range is empty (write the lower speed first)",
        ),
        (
            "port p\nspeed 9k\n",
            "2:7: '9k' is not a number that can stand here (write decimal digits only, without sign or unit)",
        ),
        (
            "port p\ndialer foo bar\n",
            "2:8: 'foo' is not a command of a dial file (see bangpath-config(5) for the commands of a dial file)",
        ),
        (
            "port p\ncarrier maybe\n",
            "2:9: 'maybe' is neither true nor false (write true or false, yes or no)",
        ),
    ] {
        assert_eq!(error(text), wanted, "{text}");
    }
}

#[test]
fn every_keyword_for_suggestions_is_a_command() {
    for key in KEYWORDS.into_iter().filter(|key| *key != "port") {
        let known = ["modem", "tcp", "tls", "tli", "pipe"].iter().any(|kind| {
            let error = ports(&format!("port p\ntype {kind}\n{key}\n"));
            !matches!(error, Err(error) if error.to_string().contains("not a command"))
        });
        assert!(known, "{key}");
    }
}
