//! Dialing: what the dialers of a port want said before the login, and once the call is over.
//!
//! Taylor UUCP manual, *The Dialer Configuration File* and the `dialer` commands of the port file.

use std::time::Duration;

use crate::config::chat::{Exchange, Expect, SendItem};
use crate::config::{
    Chat, Config, ConfigError, DialerChoice, DialerConfig, DialerStep, PortConfig,
};
use crate::conversation::ChatWords;

/// The dialers of one port, for one system.
#[derive(Debug)]
pub(super) struct Dialing {
    /// Their scripts, in order, each with the words for its escapes.
    pub(super) scripts: Vec<(Chat, ChatWords)>,
    /// The first dialer: it alone says what becomes of the modem before and after the call.
    pub(super) first: DialerConfig,
}

/// A phone number in both forms.
#[derive(Debug, Clone)]
pub(super) struct Phone {
    plain: Vec<u8>,
    translated: Vec<u8>,
}

impl Phone {
    /// A number of the configuration: its leading letters are a dialcode, which stands for what the dialcode file says.
    ///
    /// # Errors
    /// When a dialcode file cannot be read or understood.
    pub(super) fn look_up(config: &Config, number: &[u8]) -> Result<Self, ConfigError> {
        let letters = number
            .iter()
            .take_while(|byte| byte.is_ascii_alphabetic())
            .count();
        let (code, rest) = number.split_at_checked(letters).unwrap_or((&[], number));
        let meaning = match std::str::from_utf8(code) {
            Ok(code) if !code.is_empty() => config.dialcode(code)?,
            _ => None,
        };
        Ok(Self {
            plain: number.to_vec(),
            translated: [meaning.unwrap_or_default().as_bytes(), rest].concat(),
        })
    }

    /// The words for one dialer, which has its own ways to wait.
    fn words(&self, dialer: &DialerConfig) -> ChatWords {
        let spoken = |number: &[u8]| -> Vec<u8> {
            let pieces = number.iter().map(|byte| match byte {
                b'=' => &dialer.dialtone[..],
                b'-' => &dialer.pause[..],
                other => std::slice::from_ref(other),
            });
            pieces.flatten().copied().collect()
        };
        ChatWords {
            phone: spoken(&self.plain),
            translated_phone: spoken(&self.translated),
            ..ChatWords::default()
        }
    }
}

/// Why there is no plan.
#[derive(Debug)]
pub(super) enum NoPlan {
    /// The configuration cannot be read.
    Config(ConfigError),
    /// What it says cannot be used, and the mend.
    Unusable(String),
}

impl From<ConfigError> for NoPlan {
    fn from(error: ConfigError) -> Self {
        Self::Config(error)
    }
}

impl Dialing {
    /// What is to be said to reach `number` by the dialers of this port. `carrier`: whether the port knows carrier.
    ///
    /// # Errors
    /// When a dialer is not described, or a file cannot be read.
    pub(super) fn plan(
        config: &Config,
        port: &PortConfig,
        choice: &DialerChoice,
        number: &[u8],
        carrier: bool,
    ) -> Result<Option<Self>, NoPlan> {
        let phone = Phone::look_up(config, number)?;
        let mut dialers = Vec::new();
        match choice {
            DialerChoice::Inline(dialer) => dialers.push(((**dialer).clone(), phone)),
            DialerChoice::Named(name) => dialers.push((find(config, port, name)?, phone)),
            DialerChoice::Sequence(steps) => {
                for step in steps.iter().filter(|step| !connects(step)) {
                    let phone = phone_of(config, step, &phone)?;
                    dialers.push((find(config, port, &step.dialer)?, phone));
                }
            }
        }
        let Some((first, _)) = dialers.first() else {
            return Ok(None);
        };
        let first = first.clone();
        let carrier = carrier && first.carrier;
        let scripts = dialers.into_iter().enumerate();
        let scripts = scripts.map(|(number, (dialer, phone))| {
            let words = phone.words(&dialer);
            let chat = dialer.chat;
            let chat = if number == 0 && carrier {
                with_carrier(chat)
            } else {
                chat
            };
            (chat, words)
        });
        Ok(Some(Self {
            scripts: scripts.collect(),
            first,
        }))
    }

    /// The port with what the dialer adds to its description.
    pub(super) fn complete_port(&self, port: &PortConfig) -> PortConfig {
        let mut port = port.clone();
        let parameters = &self.first.protocol_parameters;
        port.protocol_parameters.extend(parameters.iter().cloned());
        port.seven_bit |= self.first.seven_bit;
        port.half_duplex |= self.first.half_duplex;
        if self.first.reliable == Some(false) || port.reliable.is_none() {
            port.reliable = self.first.reliable;
        }
        port
    }

    /// How long carrier is waited for.
    pub(super) fn carrier_wait(&self) -> Duration {
        self.first.carrier_wait
    }

    /// What is said to the modem once the call is over.
    pub(super) fn parting(&self, good: bool) -> Option<Chat> {
        let chat = if good {
            &self.first.complete
        } else {
            &self.first.abort
        };
        let says_something = !chat.script.is_empty() || chat.program.is_some();
        says_something.then(|| chat.clone())
    }
}

/// Steps of a sequence that only say what kind of connection is made, as in files that once were HDB's.
fn connects(step: &DialerStep) -> bool {
    ["TCP", "TLI", "TLIS", "direct"].contains(&step.dialer.as_str())
}

/// What one step of a sequence is to dial.
fn phone_of(config: &Config, step: &DialerStep, system: &Phone) -> Result<Phone, ConfigError> {
    match step.token.as_deref() {
        None | Some("\\D") => Ok(system.clone()),
        Some("\\T") => Ok(Phone {
            plain: system.translated.clone(),
            translated: system.translated.clone(),
        }),
        Some(token) => Phone::look_up(config, token.as_bytes()),
    }
}

fn find(config: &Config, port: &PortConfig, name: &str) -> Result<DialerConfig, NoPlan> {
    config.dialer(name)?.ok_or_else(|| {
        NoPlan::Unusable(format!(
            "port '{}': the dial file describes no dialer '{name}'",
            port.name
        ))
    })
}

/// Where port and dialer both know carrier, the script begins without requiring it and ends with it.
fn with_carrier(mut chat: Chat) -> Chat {
    let require = |on| Exchange {
        expect: vec![Expect {
            pattern: Vec::new(),
            timeout: None,
            subsend: None,
        }],
        send: vec![SendItem::RequireCarrier(on)],
    };
    chat.script.insert(0, require(false));
    chat.script.push(require(true));
    chat
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(dial: &str, dialcode: &str) -> (tempfile::TempDir, Config) {
        let folder = tempfile::tempdir().unwrap();
        for (name, text) in [("dial", dial), ("dialcode", dialcode), ("config", "")] {
            std::fs::write(folder.path().join(name), text).unwrap();
        }
        let place = |name: &str| folder.path().join(name).display().to_string();
        let text = format!(
            "dialfile {}\ndialcodefile {}\n",
            place("dial"),
            place("dialcode")
        );
        std::fs::write(folder.path().join("config"), text).unwrap();
        let config = Config::load(Some(&folder.path().join("config"))).unwrap();
        (folder, config)
    }

    fn port() -> PortConfig {
        PortConfig {
            name: "acu".into(),
            kind: crate::config::PortKind::Stdin,
            protocols: None,
            protocol_parameters: Vec::new(),
            seven_bit: false,
            reliable: None,
            half_duplex: false,
            lockname: None,
        }
    }

    fn numbers(dialing: &Dialing) -> Vec<(String, String)> {
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
        let words = dialing.scripts.iter().map(|(_, words)| words);
        words
            .map(|words| (text(&words.phone), text(&words.translated_phone)))
            .collect()
    }

    fn plan(config: &Config, choice: &DialerChoice, number: &str) -> Dialing {
        Dialing::plan(config, &port(), choice, number.as_bytes(), true)
            .unwrap()
            .unwrap()
    }

    #[test]
    fn dialcodes_and_waits_are_translated() {
        let (_folder, config) = config("dialer d\ndialtone w\npause p\n", "HH 040\n");
        let named = DialerChoice::Named("d".into());
        let pair = |a: &str, b: &str| vec![(a.to_owned(), b.to_owned())];
        assert_eq!(
            numbers(&plan(&config, &named, "HH=12-3")),
            pair("HHw12p3", "040w12p3")
        );
        // An unknown code is left out, as the manual has it.
        assert_eq!(numbers(&plan(&config, &named, "XX1")), pair("XX1", "1"));
        assert_eq!(numbers(&plan(&config, &named, "0=1")), pair("0w1", "0w1"));
    }

    #[test]
    fn a_sequence_gives_each_dialer_its_token() {
        let (_folder, config) = config("dialer a\ndialer b\ndialer c\n", "HH 040\n");
        let step = |dialer: &str, token: Option<&str>| DialerStep {
            dialer: dialer.into(),
            token: token.map(str::to_owned),
        };
        let choice = DialerChoice::Sequence(vec![
            step("TCP", Some("modems.example")),
            step("a", Some("9")),
            step("b", Some("\\T")),
            step("c", None),
        ]);
        let dialing = plan(&config, &choice, "HH7");
        let pair = |a: &str, b: &str| (a.to_owned(), b.to_owned());
        assert_eq!(
            numbers(&dialing),
            [pair("9", "9"), pair("0407", "0407"), pair("HH7", "0407")]
        );
        assert_eq!(dialing.first.name, "a");
        let missing = DialerChoice::Sequence(vec![step("x", None)]);
        let error = Dialing::plan(&config, &port(), &missing, b"1", true).unwrap_err();
        assert!(
            matches!(&error, NoPlan::Unusable(text) if text == "port 'acu': the dial file describes no dialer 'x'"),
            "{error:?}"
        );
    }

    #[test]
    fn carrier_frames_the_first_script_where_both_know_it() {
        let (_folder, config) = config("dialer a\nchat \"\" ATZ\ndialer b\ncarrier false\n", "");
        let asks = |name: &str, carrier| {
            let choice = DialerChoice::Named(name.into());
            let dialing = Dialing::plan(&config, &port(), &choice, b"1", carrier);
            let dialing = dialing.unwrap().unwrap();
            let script = &dialing.scripts[0].0.script;
            let ends = [script.first(), script.last()];
            ends.map(|one| {
                one.is_some_and(|one| matches!(one.send[..], [SendItem::RequireCarrier(_)]))
            })
        };
        assert_eq!(asks("a", true), [true, true]);
        assert_eq!(asks("a", false), [false, false]);
        assert_eq!(asks("b", true), [false, false]);
    }

    #[test]
    fn the_dialer_completes_the_ports_description() {
        let (_folder, config) = config(
            "dialer d\nseven-bit true\nreliable false\nhalf-duplex true\nprotocol-parameter g window 3\n\
             complete ATH\n",
            "",
        );
        let dialing = plan(&config, &DialerChoice::Named("d".into()), "1");
        let port = dialing.complete_port(&port());
        assert!(port.seven_bit && port.half_duplex);
        assert_eq!(port.reliable, Some(false));
        assert_eq!(port.protocol_parameters[0].value, "3");
        assert!(dialing.parting(true).is_some() && dialing.parting(false).is_none());
    }
}
