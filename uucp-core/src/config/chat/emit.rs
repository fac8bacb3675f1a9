//! A chat as the words of its commands again, for people who want to see what was understood.

use std::fmt::Write as _;

use super::{Chat, Exchange, Expect, ProgramItem, ProgramWord, SendItem};

/// Where a string stands, which decides what has to be escaped in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    /// In an expect string, and in its subsends: a hyphen separates.
    Expect,
    /// In a send string.
    Send,
}

impl Chat {
    /// The words of its script.
    #[must_use]
    pub fn words(&self) -> Vec<String> {
        let mut words = Vec::new();
        for (number, exchange) in (1..).zip(&self.script) {
            words.push(expect_word(exchange));
            if number < self.script.len() || !exchange.send.is_empty() {
                let word = send_word(&exchange.send, Place::Send);
                words.push(if word.is_empty() {
                    "\\r\\c".to_owned()
                } else {
                    word
                });
            }
        }
        words
    }

    /// The strings that end it, as they are written.
    #[must_use]
    pub fn fail_words(&self) -> Vec<String> {
        self.fail.iter().map(|one| expect_text(one)).collect()
    }

    /// The words of its program, if it has one.
    #[must_use]
    pub fn program_words(&self) -> Option<Vec<String>> {
        let words = self.program.as_ref()?.iter();
        Some(words.map(ProgramWord::text).collect())
    }
}

impl ProgramWord {
    fn text(&self) -> String {
        let item = |item: &ProgramItem| match item {
            ProgramItem::Text(text) => String::from_utf8_lossy(text).replace('\\', "\\\\"),
            ProgramItem::Login => "\\L".into(),
            ProgramItem::Password => "\\P".into(),
            ProgramItem::Phone => "\\D".into(),
            ProgramItem::TranslatedPhone => "\\T".into(),
            ProgramItem::Port => "\\Y".into(),
            ProgramItem::System => "\\Z".into(),
            ProgramItem::Speed => "\\S".into(),
        };
        self.0.iter().map(item).collect()
    }
}

/// Bytes as an expect string has them.
#[must_use]
pub(in crate::config) fn expect_text(bytes: &[u8]) -> String {
    let mut text = String::new();
    escape(bytes, Place::Expect, &mut text);
    text
}

fn expect_word(exchange: &Exchange) -> String {
    let mut word = String::new();
    for expect in &exchange.expect {
        expect_part(expect, &mut word);
        if let Some(subsend) = &expect.subsend {
            word.push('-');
            word.push_str(&send_word(subsend, Place::Expect));
            word.push('-');
        }
    }
    if word.is_empty() {
        word.push_str("\"\"");
    }
    word
}

fn expect_part(expect: &Expect, word: &mut String) {
    if expect.pattern == b"\"\"" {
        word.push_str("\\042\\042");
    } else {
        escape(&expect.pattern, Place::Expect, word);
    }
    if let Some(limit) = expect.timeout {
        let _ = write!(word, "\\W{}", limit.as_secs());
    }
}

fn send_word(items: &[SendItem], place: Place) -> String {
    if items.is_empty() {
        return "\"\"".to_owned();
    }
    let mut text = String::new();
    let mut silent = items
        .iter()
        .any(|item| matches!(item, SendItem::Break | SendItem::Eot));
    for (number, item) in (1..).zip(items) {
        match item {
            SendItem::Bytes(bytes) => {
                let rest = bytes.strip_suffix(b"\r");
                match rest.filter(|_| number == items.len() && !silent) {
                    Some(rest) => escape(rest, place, &mut text),
                    None => escape(bytes, place, &mut text),
                }
            }
            SendItem::Break => text.push_str("BREAK"),
            SendItem::Eot => text.push_str("EOT"),
            SendItem::Delay => text.push_str("\\d"),
            SendItem::Pause => text.push_str("\\p"),
            SendItem::EchoCheck(on) => text.push_str(if *on { "\\E" } else { "\\e" }),
            SendItem::RequireCarrier(on) => text.push_str(if *on { "\\m" } else { "\\M" }),
            SendItem::Login => text.push_str("\\L"),
            SendItem::Password => text.push_str("\\P"),
            SendItem::Phone => text.push_str("\\D"),
            SendItem::TranslatedPhone => text.push_str("\\T"),
        }
    }
    silent |= matches!(items.last(), Some(SendItem::Bytes(bytes)) if bytes.ends_with(b"\r"));
    if !silent {
        text.push_str("\\c");
    }
    if text == "\"\"" {
        // Two quotes that are meant, where two quotes stand for nothing.
        return "\\042\\042".to_owned();
    }
    text
}

fn escape(bytes: &[u8], place: Place, text: &mut String) {
    for (at, byte) in bytes.iter().enumerate() {
        let rest = bytes.get(at..).unwrap_or_default();
        let word = rest.starts_with(b"BREAK") || rest.starts_with(b"EOT");
        // Behind a backslash it would begin a time limit.
        let limit = *byte == b'W' && text.ends_with('\\');
        match byte {
            b'\\' => text.push_str("\\\\"),
            b' ' => text.push_str("\\s"),
            b'\r' => text.push_str("\\r"),
            b'\n' => text.push_str("\\n"),
            b'\t' => text.push_str("\\t"),
            0x08 => text.push_str("\\b"),
            0 => text.push_str("\\N"),
            b'-' if place == Place::Expect => text.push_str("\\-"),
            byte if byte.is_ascii_graphic() && !word && !limit => text.push(char::from(*byte)),
            byte => {
                let _ = write!(text, "\\{byte:03o}");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::parse_script;
    use super::*;

    fn again(text: &str) -> String {
        let words: Vec<&[u8]> = text.split(' ').map(str::as_bytes).collect();
        let chat = Chat {
            script: parse_script(&words),
            ..Chat::none()
        };
        chat.words().join(" ")
    }

    #[test]
    fn scripts_are_shown_as_they_were_written() {
        for text in [
            "\"\" \\r\\c ogin:-BREAK-ogin:-BREAK-ogin: \\L word: \\P",
            "\"\" ATZ OK ATDT\\T CONNECT",
            "\"\" \\dATE1 OK\\r-ATE1-OK\\r ATM0 OK \\EATDT\\T CONNECT",
            "\\r ogin:--ogin:--ogin: ulichen word: tru5ted",
            "x\\W5 \\d\\c \"\" EOT a\\-b a-b",
            "\"\" \\M\\pA\\K\\c \\s\\N\\t\\b\\\\ \\201",
            "gin: \"\" word: \\042\\042",
        ] {
            let shown = again(text);
            // `\K` is a break by another name.
            assert_eq!(shown, text.replace("\\K\\c", "BREAK"));
        }
    }

    proptest! {
        #[test]
        fn what_is_shown_means_what_was_read(words in prop::collection::vec("[ -~&&[^ ]]{1,12}|(\\\\[a-zA-Z0-9-]|BREAK|EOT|-|x){1,6}", 0..7)) {
            let parse = |words: &[String]| {
                let words: Vec<&[u8]> = words.iter().map(String::as_bytes).collect();
                parse_script(&words)
            };
            let chat = Chat { script: parse(&words), ..Chat::none() };
            let shown = chat.words();
            let chat_again = Chat { script: parse(&shown), ..Chat::none() };
            prop_assert_eq!(&chat_again.script, &chat.script, "{:?}", shown);
        }
    }
}
