//! What the two sides are told of each other.

use std::time::Duration;

use crate::config::chat::{Chat, Exchange, Expect, SendItem};
use crate::conversation::*;
use crate::name::SystemName;
use crate::wire::command::Features;

pub(super) fn name(text: &str) -> SystemName {
    SystemName::parse(text.as_bytes()).unwrap()
}

pub(in crate::conversation::tests) fn answer_profile(login: LoginMode) -> AnswerProfile {
    AnswerProfile {
        local: name("beta"),
        login,
        prompted: false,
        strip_login: true,
        strip_parity: true,
        features: Features::OURS,
    }
}

pub(super) fn chat(login: bool) -> Chat {
    let expect = |pattern: &str| {
        vec![Expect {
            pattern: pattern.into(),
            timeout: None,
            subsend: None,
        }]
    };
    let send = |item| vec![item, SendItem::Bytes(b"\r".to_vec())];
    let script = if login {
        vec![
            Exchange {
                expect: expect("ogin:"),
                send: send(SendItem::Login),
            },
            Exchange {
                expect: expect("word:"),
                send: send(SendItem::Password),
            },
        ]
    } else {
        Vec::new()
    };
    Chat {
        script,
        timeout: Duration::from_secs(10),
        fail: Vec::new(),
        program: None,
        seven_bit: true,
    }
}
