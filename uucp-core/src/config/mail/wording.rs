//! What is wrong in a `mail.toml`, in words that name the section and the mend; the reader of TOML knows neither.

use std::ops::Range;

use serde::Deserialize as _;
use toml::de::{DeTable, DeValue, Deserializer};

use super::MailConfig;
use super::reading::{key_at, line};
use crate::config::command::closest;

/// What is wrong with the text as TOML.
pub(super) fn of_syntax(
    text: &str,
    root: &DeTable<'_>,
    at: &Range<usize>,
    message: &str,
) -> String {
    let word = text.get(at.clone()).unwrap_or_default();
    if message.starts_with("string values must be quoted") {
        return format!("text stands in quotes: \"{}\"", word.trim());
    }
    if message != "duplicate key" {
        return message.to_owned();
    }
    let own_line = text.get(..at.start).unwrap_or_default();
    let begin = own_line.rfind('\n').map_or(0, |end| end + 1);
    if let Some(header) = header(text.get(begin..).unwrap_or_default()) {
        let mend = "put what is under both under one of them";
        return format!("[{header}] is there a second time; {mend}");
    }
    let above = text.get(..begin).unwrap_or_default();
    let section = above.lines().rev().find_map(header).unwrap_or_default();
    let keys: Vec<&str> = section.split('.').chain([word]).map(str::trim).collect();
    let first = key_at(
        root,
        keys.get(usize::from(section.is_empty())..).unwrap_or(&[]),
    );
    let first = first.map_or_else(String::new, |first| {
        format!(", first in line {}", line(text, first))
    });
    format!(
        "'{word}' is twice in {}{first}; take one out",
        place(section)
    )
}

/// The section that a line begins.
fn header(line: &str) -> Option<&str> {
    let (name, _) = line.trim_start().strip_prefix('[')?.split_once(']')?;
    Some(name.trim())
}

/// What is wrong with a key or a value of the table.
pub(super) fn of_content(root: &DeTable<'_>, at: usize, message: &str) -> String {
    let path = path_to(root, at);
    let Some((key, section)) = path.split_last() else {
        return message.to_owned();
    };
    if let Some(rest) = message.strip_prefix("unknown field `") {
        // Else it is in a table of a list, whose keys the message lists.
        return if rest.starts_with(&format!("{key}`")) {
            unknown_key(key, &section.join("."), &listed(message))
        } else {
            message.to_owned()
        };
    }
    if let Some(rest) = message.strip_prefix("unknown variant `") {
        let word = rest.split('`').next().unwrap_or_default();
        let known = listed(message);
        let mend = closest(word, &known).map_or_else(
            || format!("it is one of {}", known.join(", ")),
            |meant| format!("did you mean '{meant}'?"),
        );
        return format!("'{word}' is no value of '{key}'; {mend}");
    }
    message.to_owned()
}

fn unknown_key(key: &str, section: &str, known: &[&str]) -> String {
    let here = place(section);
    if !section.is_empty() && keys("").iter().any(|one| one == key) {
        return format!(
            "'{key}' is not a key of {here}; keys of the top level stand before the first [section]"
        );
    }
    if section.is_empty() && key == "tls" {
        return "[tls] is a section of a neighbour: [neighbour.NAME.tls]".to_owned();
    }
    let sections = ["delivery", "policy", "sending", "execution", "hooks"];
    let owner = sections
        .into_iter()
        .find(|section| keys(section).iter().any(|one| one == key));
    let mend = match (closest(key, known), owner) {
        (Some(meant), _) => format!("did you mean '{meant}'?"),
        (None, Some(owner)) => format!("it is one of [{owner}]"),
        (None, None) => format!("its keys are {}", known.join(", ")),
    };
    format!("'{key}' is not a key of {here}; {mend}")
}

fn place(section: &str) -> String {
    if section.is_empty() {
        "the top level".to_owned()
    } else {
        format!("[{section}]")
    }
}

/// The keys of a section, of the top level where it has no name: those that an unknown one is told to be none of.
pub(super) fn keys(section: &str) -> Vec<String> {
    let header = if section.is_empty() {
        String::new()
    } else {
        format!("[{section}]\n")
    };
    let text = format!("{header}none-such = 1\n");
    let (root, _) = DeTable::parse_recoverable(&text);
    let Err(error) = MailConfig::deserialize(Deserializer::from(root)) else {
        return Vec::new();
    };
    let known = listed(error.message());
    known.into_iter().map(str::to_owned).collect()
}

/// The words that a message lists behind what it has found.
fn listed(message: &str) -> Vec<&str> {
    let list = message.split_once("`, expected ").map_or("", |(_, it)| it);
    list.split('`').skip(1).step_by(2).collect()
}

/// The keys on the way to the innermost thing that this place is in.
fn path_to(table: &DeTable<'_>, at: usize) -> Vec<String> {
    for (key, value) in table {
        let name = key.get_ref().to_string();
        if key.span().contains(&at) {
            return vec![name];
        }
        if let DeValue::Table(inner) = value.get_ref() {
            let rest = path_to(inner, at);
            if !rest.is_empty() {
                return std::iter::once(name).chain(rest).collect();
            }
        }
        if value.span().contains(&at) {
            return vec![name];
        }
    }
    Vec::new()
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn a_wrong_key_is_told_with_its_section_and_the_mend() {
        for (text, expected) in [
            (
                "[neighbour.x.tls]\nlogin = true\n\ndomain = \"leaf.lab\"\n",
                "/etc/uucp/mail.toml:4: 'domain' is not a key of [neighbour.x.tls]; keys of the top level stand before the first [section]",
            ),
            (
                "[sending]\njobs = 2\n",
                "/etc/uucp/mail.toml:2: 'jobs' is not a key of [sending]; it is one of [execution]",
            ),
            (
                "[neighbour.hub.hooks]\nwhat-else = 2\n",
                "/etc/uucp/mail.toml:2: 'what-else' is not a key of [neighbour.hub.hooks]; its keys are connect, disconnect, ",
            ),
            (
                "[sending]\nformat = \"bsmtp\"\nfromat = \"rmail\"\n",
                "/etc/uucp/mail.toml:3: 'fromat' is not a key of [sending]; did you mean 'format'?",
            ),
            (
                "[sending]\nformat = \"bsntp\"\n",
                "/etc/uucp/mail.toml:2: 'bsntp' is no value of 'format'; did you mean 'bsmtp'?",
            ),
            (
                "[sending]\nformat = \"bsmtp\"\n\nformat = \"rmail\"\n",
                "/etc/uucp/mail.toml:4: 'format' is twice in [sending], first in line 2; take one out",
            ),
            (
                "domain = \"a\"\ndomain = \"b\"\n",
                "/etc/uucp/mail.toml:2: 'domain' is twice in the top level, first in line 1; take one out",
            ),
            (
                "[sending]\n[policy]\n[sending]\n",
                "/etc/uucp/mail.toml:3: [sending] is there a second time; put what is under both under one of them",
            ),
            (
                "[sending]\ngrade-by-size = [{ above = \"1M\", grad = \"N\" }]\n",
                "/etc/uucp/mail.toml:2: unknown field `grad`, expected `above` or `grade`",
            ),
            (
                "[sending\nformat = \"rmail\"\n",
                "/etc/uucp/mail.toml:1: unclosed table, expected `]`",
            ),
            (
                "[sending]\ncompression = gzip\n",
                "/etc/uucp/mail.toml:2: text stands in quotes: \"gzip\"",
            ),
        ] {
            let error = MailConfig::parse(text, Path::new("/etc/uucp/mail.toml")).unwrap_err();
            assert!(
                error.to_string().starts_with(expected),
                "{text:?} gives {error}"
            );
        }
    }
}
