//! A port and its dialers.

use super::Page;
use super::calling::chat;
use super::system::parameters;
use crate::config::port::{IpVersion, TcpPort, TliPort};
use crate::config::{
    Config, DialerChoice, DialerConfig, DirectPort, ModemPort, PortConfig, PortKind,
};

/// Shows a port.
pub(super) fn show(config: &Config, port: &PortConfig, page: &mut Page) {
    page.line(2, format!("Port name {}", port.name));
    match &port.kind {
        PortKind::Stdin => page.line(3, "Port type stdin"),
        PortKind::Modem(modem) => show_modem(config, modem, page),
        PortKind::Direct(direct) => show_direct(direct, page),
        PortKind::Tcp(tcp) => show_tcp(tcp, page),
        PortKind::Tli(tli) => show_tli(tli, page),
        PortKind::Pipe(pipe) => {
            let words = pipe
                .command
                .iter()
                .map(|word| String::from_utf8_lossy(word));
            let words: Vec<_> = words.collect();
            page.line(3, "Port type pipe");
            page.line(3, format!("Command {}", words.join(" ")));
        }
        PortKind::Tls(_) => page.line(3, "Port type tls"),
    }
    let network = matches!(port.kind, PortKind::Tcp(_) | PortKind::Tli(_));
    characteristics(
        network,
        port.seven_bit,
        port.reliable,
        port.half_duplex,
        page,
    );
    if let Some(letters) = &port.protocols {
        let letters = String::from_utf8_lossy(letters);
        page.line(3, format!("Will use protocols {letters}"));
    }
    if let Some(name) = &port.lockname {
        page.line(3, format!("Will use lockname {name}"));
    }
    parameters(&port.protocol_parameters, 3, page);
}

/// What a line is good for, where somebody has said it, or where it is a network's.
fn characteristics(
    network: bool,
    seven_bit: bool,
    reliable: Option<bool>,
    half_duplex: bool,
    page: &mut Page,
) {
    if !network && !seven_bit && reliable.is_none() && !half_duplex {
        return;
    }
    let words = [
        Some(if seven_bit {
            "not-eight-bit-clean"
        } else {
            "eight-bit-clean"
        }),
        reliable.unwrap_or(true).then_some("reliable"),
        network.then_some("end-to-end"),
        Some(if half_duplex {
            "halfduplex"
        } else {
            "fullduplex"
        }),
    ];
    let words: Vec<&str> = words.into_iter().flatten().collect();
    page.line(3, format!("Characteristics: {}", words.join(" ")));
}

fn available(yes: bool) -> &'static str {
    if yes { "available" } else { "not available" }
}

fn device(device: Option<&std::path::PathBuf>, page: &mut Page) {
    match device {
        Some(device) => page.line(3, format!("Device {}", device.display())),
        None => page.line(3, "Using port name as device name"),
    }
}

fn show_modem(config: &Config, modem: &ModemPort, page: &mut Page) {
    page.line(3, "Port type modem");
    device(modem.device.as_ref(), page);
    if let Some(dial) = &modem.dial_device {
        page.line(3, format!("Dial device {}", dial.display()));
    }
    page.line(3, format!("Speed {}", modem.speed.unwrap_or_default()));
    if let Some((low, high)) = modem.speed_range {
        page.line(3, format!("Speed range {low} to {high}"));
    }
    page.line(3, format!("Carrier {}", available(modem.carrier)));
    let flow = available(modem.hardflow);
    page.line(3, format!("Hardware flow control {flow}"));
    match &modem.dialer {
        None => page.line(3, "*** No dialer information"),
        Some(DialerChoice::Named(name)) => named(config, name, page),
        Some(DialerChoice::Inline(dialer)) => {
            page.line(3, "Specially defined dialer");
            show_dialer(dialer, page);
        }
        Some(DialerChoice::Sequence(steps)) => {
            for step in steps {
                named(config, &step.dialer, page);
                if let Some(token) = &step.token {
                    page.line(3, format!("Token {token}"));
                }
            }
        }
    }
}

fn named(config: &Config, name: &str, page: &mut Page) {
    page.line(3, format!("Dialer {name}"));
    match config.dialer(name) {
        Ok(Some(dialer)) => show_dialer(&dialer, page),
        Ok(None) | Err(_) => page.line(4, "*** No dialer information"),
    }
}

fn show_dialer(dialer: &DialerConfig, page: &mut Page) {
    chat(&dialer.chat, "Chat", 4, page);
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    page.line(4, format!("Wait for dialtone {}", text(&dialer.dialtone)));
    page.line(4, format!("Pause while dialing {}", text(&dialer.pause)));
    page.line(4, format!("Carrier {}", available(dialer.carrier)));
    if dialer.carrier {
        let seconds = dialer.carrier_wait.as_secs();
        page.line(4, format!("Wait {seconds} seconds for carrier"));
    }
    match (dialer.dtr_toggle, dialer.dtr_toggle_wait) {
        (true, true) => page.line(4, "Toggle DTR and wait"),
        (true, false) => page.line(4, "Toggle DTR"),
        (false, _) => {}
    }
    chat(&dialer.complete, "When complete chat", 4, page);
    chat(&dialer.abort, "When aborting chat", 4, page);
    characteristics(
        false,
        dialer.seven_bit,
        dialer.reliable,
        dialer.half_duplex,
        page,
    );
    parameters(&dialer.protocol_parameters, 4, page);
}

fn show_direct(direct: &DirectPort, page: &mut Page) {
    page.line(3, "Port type direct");
    device(direct.device.as_ref(), page);
    page.line(3, format!("Speed {}", direct.speed.unwrap_or_default()));
    page.line(3, format!("Carrier {}", available(direct.carrier)));
    let flow = available(direct.hardflow);
    page.line(3, format!("Hardware flow control {flow}"));
}

fn sequence(dialer: Option<&DialerChoice>, page: &mut Page) {
    if let Some(DialerChoice::Sequence(steps)) = dialer {
        let words: Vec<&str> = steps
            .iter()
            .flat_map(|step| [Some(step.dialer.as_str()), step.token.as_deref()])
            .flatten()
            .collect();
        page.line(3, format!("Dialer sequence {}", words.join(" ")));
    }
}

fn show_tcp(tcp: &TcpPort, page: &mut Page) {
    page.line(3, "Port type tcp");
    page.line(3, format!("TCP service {}", tcp.service));
    match tcp.version {
        None => {}
        Some(IpVersion::V4) => page.line(3, "IP version 4"),
        Some(IpVersion::V6) => page.line(3, "IP version 6"),
    }
    sequence(tcp.dialer.as_ref(), page);
}

fn show_tli(tli: &TliPort, page: &mut Page) {
    page.line(
        3,
        if tli.stream {
            "Port type TLIS"
        } else {
            "Port type TLI"
        },
    );
    device(tli.device.as_ref(), page);
    if !tli.push.is_empty() {
        page.line(3, format!("Push {}", tli.push.join(" ")));
    }
    sequence(tli.dialer.as_ref(), page);
    if let Some(address) = &tli.server_address {
        page.line(3, format!("Server address {}", address.escape_ascii()));
    }
}
