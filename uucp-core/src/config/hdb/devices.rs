//! `Devices` and `Dialers`: a port file and a dial file.

use std::path::PathBuf;

use super::lines::{self, Line};
use super::{Class, escaped, protocols, typed};
use crate::config::error::ConfigError;

/// The dialer that dials nothing.
const DIRECT: &str = "direct";

/// A port file for these files.
pub(super) fn ports(files: &[PathBuf]) -> Result<String, ConfigError> {
    let mut text = "# made from HDB files\n".to_owned();
    for file in files {
        for line in lines::read(file, false)? {
            for command in port(&line)? {
                text.push_str(&command);
                text.push('\n');
            }
        }
    }
    Ok(text)
}

/// `TYPE LINE LINE2 CLASS DIALER TOKEN DIALER TOKEN...`
fn port(line: &Line) -> Result<Vec<String>, ConfigError> {
    let (name, letters) = typed(line.word(0));
    let class = Class::read(line, line.word(3))?;
    let dialers: Vec<&str> = line.words().skip(4).collect();
    let mut commands = vec![
        String::new(),
        format!("port {}{}", escaped(name), class.prefix),
    ];
    let kind = match (name, dialers.first().copied()) {
        ("TCP", _) | (_, Some("TCP")) => "tcp",
        ("TLI" | "TLIS", _) | (_, Some("TLI" | "TLIS")) => "tli",
        ("Direct", _) => "direct",
        (_, Some(DIRECT)) if dialers.len() == 1 => "direct",
        _ => "modem",
    };
    commands.push(format!("type {kind}"));
    commands.extend(protocols::commands(line, letters)?);
    match kind {
        "tcp" => commands.extend(tcp(line, &dialers)),
        "tli" => commands.extend(tli(line, &dialers)),
        _ => commands.extend(serial(line, kind, class.command, &dialers)),
    }
    Ok(commands)
}

/// A field that may say nothing by a hyphen.
fn given(word: &str) -> Option<&str> {
    Some(word).filter(|word| !matches!(*word, "" | "-"))
}

/// The device without HDB's `,M`: the carrier is not waited for before the dialer has spoken, here and there.
fn device(line: &Line) -> Option<String> {
    given(typed(line.word(1)).0).map(escaped)
}

fn serial(line: &Line, kind: &str, speed: Option<String>, dialers: &[&str]) -> Vec<String> {
    let mut commands = Vec::new();
    commands.extend(device(line).map(|device| format!("device {device}")));
    commands.extend(speed);
    if kind == "modem" {
        let second = given(line.word(2)).map(|word| format!("dial-device {}", escaped(word)));
        commands.extend(second);
        commands.extend(match dialers {
            [] => None,
            [only] => Some(format!("dialer {}", escaped(only))),
            several => Some(sequence(several)),
        });
    }
    commands
}

fn sequence(words: &[&str]) -> String {
    let words: Vec<String> = words.iter().map(|word| escaped(word)).collect();
    format!("dialer-sequence {}", words.join(" "))
}

/// The service is the token of the dialer TCP, or stands where others have the device.
fn tcp(line: &Line, dialers: &[&str]) -> Vec<String> {
    let token = dialers.get(1).copied().and_then(given);
    let token = token.filter(|token| !token.starts_with('\\'));
    let service = token.or_else(|| given(line.word(1)));
    let mut commands: Vec<String> = Vec::new();
    commands.extend(service.map(|service| format!("service {}", escaped(service))));
    let rest = dialers.get(2..).unwrap_or_default();
    if !rest.is_empty() {
        commands.push(sequence(rest));
    }
    commands
}

fn tli(line: &Line, dialers: &[&str]) -> Vec<String> {
    let mut commands = Vec::new();
    commands.extend(device(line).map(|device| format!("device {device}")));
    if line.word(0).starts_with("TLIS") || dialers.first() == Some(&"TLIS") {
        commands.push("stream true".to_owned());
    }
    if !dialers.is_empty() {
        commands.push(sequence(dialers));
    }
    commands
}

/// A dial file for these files.
pub(super) fn dialers(files: &[PathBuf]) -> Result<String, ConfigError> {
    let mut text = "# made from HDB files\n".to_owned();
    for file in files {
        for line in lines::read(file, false)? {
            for command in dialer(&line) {
                text.push_str(&command);
                text.push('\n');
            }
        }
    }
    Ok(text)
}

/// `NAME =W-P EXPECT SEND...`: in a number, W stands for `=`, P for `-`.
fn dialer(line: &Line) -> Vec<String> {
    let mut commands = vec![String::new(), format!("dialer {}", escaped(line.word(0)))];
    let mut letters = line.word(1).chars();
    while let (Some(for_what), Some(letter)) = (letters.next(), letters.next()) {
        let letter = escaped(&letter.to_string());
        match for_what {
            '=' => commands.push(format!("dialtone {letter}")),
            '-' => commands.push(format!("pause {letter}")),
            _ => {}
        }
    }
    let chat: Vec<String> = line.words().skip(2).map(escaped).collect();
    if !chat.is_empty() {
        commands.push(format!("chat {}", chat.join(" ")));
    }
    commands
}
