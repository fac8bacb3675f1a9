//! Mail that looks like mail, from a seed: what compression is measured on.
//!
//! Nothing here follows what a compressor likes. Words are made of syllables and come as often as words do (Zipf's law), so
//! their letters cost about what those of a language do; headers are those that common programs write; some mails answer
//! others and quote them, some have an HTML twin, some an attachment that no compressor makes smaller.

use std::fmt::Write as _;

use crate::payload::Random;
use crate::smtp::Message;

/// Words of the language.
const WORDS: usize = 6000;
/// People on either side.
const PEOPLE: u64 = 40;
/// Longest line of a text, in bytes.
const WIDTH: usize = 72;

const ONSETS: &[&str] = &[
    "", "b", "br", "c", "ch", "d", "dr", "f", "fl", "g", "gr", "h", "k", "l", "m", "n", "p", "pl",
    "qu", "r", "s", "sh", "st", "str", "t", "th", "tr", "v", "w",
];
const NUCLEI: &[&str] = &[
    "a", "e", "i", "o", "u", "ai", "ea", "ee", "ie", "io", "oo", "ou",
];
const CODAS: &[&str] = &[
    "", "", "", "b", "ck", "d", "g", "l", "ll", "m", "n", "nd", "ng", "nt", "p", "r", "rd", "s",
    "st", "t", "x",
];
const AGENTS: &[&str] = &[
    "Mozilla Thunderbird",
    "Mutt/2.2.9 (2022-11-12)",
    "Evolution 3.46.4-2",
    "K-9 Mail for Android",
    "Roundcube Webmail/1.6.5",
];
const DAYS: &[&str] = &["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];
const BASE64: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// Writes mails.
#[derive(Debug)]
pub struct Mailbag {
    random: Random,
    words: Vec<String>,
    /// Sums of the words' weights: the n-th comes about 1/n as often as the first.
    weights: Vec<u64>,
    names: Vec<String>,
    /// What was said last, to be quoted.
    last: Option<Letter>,
    number: u64,
}

#[derive(Debug, Clone)]
struct Letter {
    id: String,
    subject: String,
    text: String,
    from: usize,
}

impl Mailbag {
    /// The language and the people are the same for every seed; what they write is not.
    pub fn new(seed: u64) -> Self {
        let mut language = Random::new(1);
        let words: Vec<String> = (0..WORDS).map(|_| word(&mut language)).collect();
        let mut sum = 0;
        let weights = (1..=WORDS as u64)
            .map(|rank| {
                sum += 1_000_000 / (rank + 2);
                sum
            })
            .collect();
        let names = (0..2 * PEOPLE)
            .map(|_| word(&mut language) + &word(&mut language))
            .collect();
        Self {
            random: Random::new(seed),
            words,
            weights,
            names,
            last: None,
            number: 0,
        }
    }

    /// The next `count` mails.
    pub fn take(&mut self, count: usize) -> Vec<Message> {
        (0..count).map(|_| self.mail()).collect()
    }

    /// One mail, from leaf to hub.
    fn mail(&mut self) -> Message {
        self.number += 1;
        let quoted = self.last.take().filter(|_| self.chance(40));
        let from = self.person(0);
        let to = quoted
            .as_ref()
            .map_or_else(|| self.person(PEOPLE), |q| q.from + 40);
        let letter = Letter {
            id: format!(
                "{:08x}.{:x}@{}.leaf.example",
                self.random.next_u64() >> 32,
                self.number + 4_000_000,
                self.names[from]
            ),
            subject: match &quoted {
                Some(quoted) if quoted.subject.starts_with("Re: ") => quoted.subject.clone(),
                Some(quoted) => format!("Re: {}", quoted.subject),
                None => capital(&self.sentence(2, 7)),
            },
            text: self.text(quoted.as_ref()),
            from,
        };
        let header = self.header(&letter, to, quoted.as_ref());
        let content = header + &self.body(&letter.text);
        let address = |at: usize, domain: &str| format!("{}@{domain}", self.names[at]);
        let message = Message {
            sender: address(from, "leaf.example"),
            recipients: vec![address(to, "hub.example")],
            content: content.into_bytes(),
        };
        self.last = Some(letter);
        message
    }

    fn header(&mut self, letter: &Letter, to: usize, quoted: Option<&Letter>) -> String {
        let (from, to) = (&self.names[letter.from].clone(), &self.names[to].clone());
        let mut clock = || self.random.below(60);
        let (hour, minute, second) = (clock() % 24, clock(), clock());
        let day = self.number / 150;
        let weekday = DAYS[usize::try_from(day % 7).unwrap_or_default()];
        let date = format!(
            "{weekday}, {} Nov 2026 {hour:02}:{minute:02}:{second:02} +0100",
            2 + day % 28
        );
        let queue = self.random.next_u64() >> 24;
        let octet = self.random.below(250);
        let agent = AGENTS[letter.from % AGENTS.len()];
        let mut header = format!(
            "Received: from [192.168.7.{octet}] (unknown [192.168.7.{octet}])\n\
             \tby mail.leaf.example (Postfix) with ESMTPSA id {queue:010X}\n\
             \tfor <{to}@hub.example>; {date} (CET)\n\
             Message-ID: <{id}>\nDate: {date}\nMIME-Version: 1.0\nUser-Agent: {agent}\n\
             Subject: {subject}\nContent-Language: en-GB\nTo: {To} <{to}@hub.example>\n",
            id = letter.id,
            subject = letter.subject,
            To = capital(to),
        );
        if let Some(quoted) = quoted {
            let _ = writeln!(header, "References: <{0}>\nIn-Reply-To: <{0}>", quoted.id);
        }
        let _ = writeln!(header, "From: {} <{from}@leaf.example>", capital(from));
        header
    }

    /// The text alone, with an HTML twin, or with an attachment; its own header before it.
    fn body(&mut self, text: &str) -> String {
        let plain = "Content-Type: text/plain; charset=UTF-8; format=flowed\nContent-Transfer-Encoding: 8bit\n\n";
        let kind = self.random.below(100);
        if kind < 60 {
            return format!("{plain}{text}");
        }
        let boundary = format!("------------{:016x}", self.random.next_u64());
        let (multipart, twin) = if kind < 88 {
            ("alternative", html(text))
        } else {
            ("mixed", self.attachment())
        };
        format!(
            "Content-Type: multipart/{multipart};\n boundary=\"{boundary}\"\n\n\
             This is a multi-part message in MIME format.\n--{boundary}\n{plain}{text}\n--{boundary}\n{twin}\n--{boundary}--\n"
        )
    }

    fn text(&mut self, quoted: Option<&Letter>) -> String {
        let mut text = format!("Hello {},\n\n", capital(&self.word()));
        if let Some(quoted) = quoted {
            let _ = writeln!(text, "{} wrote:", capital(&self.names[quoted.from]));
            for line in quoted.text.lines().take(25) {
                let _ = writeln!(text, "> {line}");
            }
            text.push('\n');
        }
        // Most are short, some are long.
        let paragraphs = 1 + self.random.below(4) * self.random.below(4) / 2;
        for _ in 0..paragraphs {
            let mut line = String::new();
            for _ in 0..=self.random.below(6) {
                for word in (capital(&self.sentence(4, 18)) + ".").split(' ') {
                    if line.len() + word.len() > WIDTH {
                        let _ = writeln!(text, "{line}");
                        line.clear();
                    }
                    if !line.is_empty() {
                        line.push(' ');
                    }
                    line.push_str(word);
                }
            }
            let _ = writeln!(text, "{line}\n");
        }
        let _ = writeln!(text, "Regards\n-- \n{}", capital(&self.word()));
        text
    }

    /// A picture, or something packed.
    fn attachment(&mut self) -> String {
        let length = 2_000 + self.random.below(12_000);
        let name = self.word();
        let mut text = format!(
            "Content-Type: image/jpeg; name=\"{name}.jpg\"\nContent-Disposition: attachment; filename=\"{name}.jpg\"\n\
             Content-Transfer-Encoding: base64\n\n"
        );
        for at in 0..length {
            let digit = BASE64[usize::try_from(self.random.below(64)).unwrap_or_default()];
            text.push(char::from(digit));
            if at % 76 == 75 {
                text.push('\n');
            }
        }
        text + "\n"
    }

    fn sentence(&mut self, least: u64, most: u64) -> String {
        let count = least + self.random.below(most - least + 1);
        let words: Vec<String> = (0..count).map(|_| self.word()).collect();
        words.join(" ")
    }

    fn word(&mut self) -> String {
        let total = self.weights.last().copied().unwrap_or_default();
        let at = self.random.below(total);
        let index = self.weights.partition_point(|sum| *sum <= at);
        self.words[index].clone()
    }

    fn person(&mut self, first: u64) -> usize {
        usize::try_from(first + self.random.below(PEOPLE)).unwrap_or_default()
    }

    fn chance(&mut self, percent: u64) -> bool {
        self.random.below(100) < percent
    }
}

fn word(random: &mut Random) -> String {
    let mut pick = |from: &[&'static str]| {
        from[usize::try_from(random.below(from.len() as u64)).unwrap_or_default()]
    };
    let mut word = String::new();
    for _ in 0..=pick(&["", "", "x", "xx"]).len() {
        word += pick(ONSETS);
        word += pick(NUCLEI);
        word += pick(CODAS);
    }
    word
}

fn capital(text: &str) -> String {
    let (first, rest) = text.split_at(text.len().min(1));
    first.to_ascii_uppercase() + rest
}

fn html(text: &str) -> String {
    let paragraphs = text.split("\n\n").filter(|part| !part.is_empty());
    let mut html = "Content-Type: text/html; charset=UTF-8\nContent-Transfer-Encoding: 8bit\n\n\
                    <!DOCTYPE html>\n<html>\n  <head>\n    <meta http-equiv=\"content-type\" content=\"text/html; charset=UTF-8\">\n  \
                    </head>\n  <body>\n"
        .to_owned();
    for paragraph in paragraphs {
        let _ = writeln!(
            html,
            "    <p>{}</p>",
            paragraph.trim_end().replace('\n', "<br>\n      ")
        );
    }
    html + "  </body>\n</html>\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_writes_the_same_mail_again_and_another_seed_another() {
        assert_eq!(Mailbag::new(5).take(50), Mailbag::new(5).take(50));
        assert_ne!(Mailbag::new(5).take(1), Mailbag::new(6).take(1));
    }

    #[test]
    fn mails_are_of_the_sizes_that_mails_have() {
        let mut sizes: Vec<usize> = Mailbag::new(7)
            .take(500)
            .iter()
            .map(|mail| mail.content.len())
            .collect();
        sizes.sort_unstable();
        assert!((1_000..5_000).contains(&sizes[250]), "{}", sizes[250]);
        assert!(sizes[499] < 40_000, "{}", sizes[499]);
        assert!(sizes[0] > 500, "{}", sizes[0]);
    }
}
