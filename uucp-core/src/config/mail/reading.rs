//! `mail.toml` from its text: whatever is wrong in it, each with its line, and the rest of it all the same.

use std::io::Read as _;
use std::ops::Range;
use std::path::Path;

use serde::Deserialize as _;
use toml::Spanned;
use toml::de::{DeArray, DeTable, DeValue, Deserializer};

use super::{FILE_NAME, MailConfig, MailConfigError, wording};
use crate::config::trust;
use crate::name::SystemName;

/// So many mistakes are told at most: who has more sees the others once these are mended.
const MOST: usize = 100;

impl MailConfig {
    /// Reads `mail.toml` of a configuration directory; the defaults where there is none.
    ///
    /// # Errors
    /// When it is there and cannot be read, is not well-formed, or may be written by strangers.
    pub fn load(directory: &Path) -> Result<Self, MailConfigError> {
        match text(directory)? {
            Some(text) => Self::parse(&text, &directory.join(FILE_NAME)),
            None => Ok(Self::default()),
        }
    }

    /// Parses the text of a `mail.toml`; `file` is named in errors.
    ///
    /// # Errors
    /// When it is not well-formed: the first thing that is wrong.
    pub fn parse(text: &str, file: &Path) -> Result<Self, MailConfigError> {
        let (config, faults) = read(text, file);
        faults.into_iter().next().map_or(Ok(config), Err)
    }

    /// As [`MailConfig::load`], with everything that is wrong, what can be understood, and where it stands.
    #[must_use]
    pub fn load_checked(directory: &Path) -> (Self, Places, Vec<MailConfigError>) {
        match text(directory) {
            Ok(found) => {
                let text = found.unwrap_or_default();
                let (config, faults) = read(&text, &directory.join(FILE_NAME));
                (config, Places::new(text), faults)
            }
            Err(error) => (Self::default(), Places::new(String::new()), vec![error]),
        }
    }
}

/// Where the words of a `mail.toml` stand.
#[derive(Debug)]
pub struct Places {
    text: String,
}

impl Places {
    fn new(text: String) -> Self {
        Self { text }
    }

    /// The line of what a neighbour's section says, or else the general one: `["sending", "dictionary"]`. The first line
    /// where neither does.
    #[must_use]
    pub fn line(&self, neighbour: Option<&str>, keys: &[&str]) -> usize {
        let (root, _) = DeTable::parse_recoverable(&self.text);
        let own = neighbour.and_then(|name| {
            let path: Vec<&str> = ["neighbour", name].iter().chain(keys).copied().collect();
            key_at(root.get_ref(), &path)
        });
        let at = own.or_else(|| key_at(root.get_ref(), keys)).unwrap_or(0);
        line(&self.text, at)
    }
}

/// Where the last of these keys stands.
pub(super) fn key_at(table: &DeTable<'_>, keys: &[&str]) -> Option<usize> {
    let (key, rest) = keys.split_first()?;
    let (found, value) = table.get_key_value(*key)?;
    match value.get_ref() {
        _ if rest.is_empty() => Some(found.span().start),
        DeValue::Table(inner) => key_at(inner, rest),
        _ => None,
    }
}

pub(super) fn line(text: &str, at: usize) -> usize {
    1 + text.get(..at).unwrap_or_default().matches('\n').count()
}

/// The line with a mark under the words that are wrong; empty where it would not help.
fn caret(text: &str, at: &Range<usize>) -> String {
    let before = text.get(..at.start).unwrap_or_default();
    let begin = before.rfind('\n').map_or(0, |end| end + 1);
    let rest = text.get(begin..).unwrap_or_default();
    let line = rest.lines().next().unwrap_or_default();
    let is_plain = |c: char| !c.is_control() || c == '\t';
    if line.trim().is_empty() || !line.chars().all(is_plain) {
        return String::new();
    }
    let shown = line.replace('\t', " ");
    let count = |text: Option<&str>| text.unwrap_or_default().chars().count();
    let indent = count(text.get(begin..at.start));
    let end = at.end.min(begin + line.len());
    let carets = "^".repeat(count(text.get(at.start..end)).max(1));
    format!("\n    {shown}\n    {:indent$}{carets}", "")
}

/// The text of the file; `None` where there is none.
fn text(directory: &Path) -> Result<Option<String>, MailConfigError> {
    let file = directory.join(FILE_NAME);
    let Some(mut open) = trust::open(&file)? else {
        return Ok(None);
    };
    let mut text = String::new();
    match open.read_to_string(&mut text) {
        Ok(_) => Ok(Some(text)),
        Err(source) => Err(MailConfigError::Read { file, source }),
    }
}

/// What the text says without what is wrong in it, and that, line by line.
pub(super) fn read(text: &str, file: &Path) -> (MailConfig, Vec<MailConfigError>) {
    let (mut root, wrong) = DeTable::parse_recoverable(text);
    let mut faults: Vec<(Range<usize>, String)> = wrong
        .iter()
        .map(|error| {
            let at = error.span().unwrap_or_default();
            let message = wording::of_syntax(text, root.get_ref(), &at, error.message());
            (at, message)
        })
        .collect();
    let config = loop {
        let error = match MailConfig::deserialize(Deserializer::from(root.clone())) {
            Ok(config) => break config,
            Err(error) => error,
        };
        let span = error.span().unwrap_or_default();
        let at = span.start;
        let message = wording::of_content(root.get_ref(), at, error.message());
        faults.push((span, message));
        // What comes next is found without this.
        if faults.len() >= MOST || !take_from_table(root.get_mut(), at) {
            break MailConfig::default();
        }
    };
    let neighbour = |name: &str| {
        let at = key_at(root.get_ref(), &["neighbour", name]).unwrap_or(0);
        at..at + name.len()
    };
    for name in config.neighbours() {
        if let Err(error) = name.parse::<SystemName>() {
            faults.push((neighbour(name), error.to_string()));
        }
    }
    for (one, other) in config.shared_keys() {
        let message = format!("'{one}' and '{other}' have the same key; a key is one system's");
        faults.push((neighbour(other), message));
    }
    faults.sort_by_key(|(at, _)| at.start);
    let faults = faults
        .into_iter()
        .map(|(at, message)| MailConfigError::Content {
            file: file.to_owned(),
            line: line(text, at.start),
            message,
            caret: caret(text, &at),
        });
    (config, faults.collect())
}

/// Takes out of a table the innermost thing that this place is in: a key with its value, or a value of a list.
fn take_from_table(table: &mut DeTable<'_>, at: usize) -> bool {
    let mut wrong = None;
    for (key, value) in table.iter_mut() {
        let is_key = key.span().contains(&at);
        if !is_key && take_from_value(value, at) {
            return true;
        }
        if is_key || value.span().contains(&at) {
            wrong = Some(key.get_ref().to_string());
            break;
        }
    }
    wrong.is_some_and(|key| table.remove(key.as_str()).is_some())
}

fn take_from_value(value: &mut Spanned<DeValue<'_>>, at: usize) -> bool {
    match value.get_mut() {
        DeValue::Table(table) => take_from_table(table, at),
        DeValue::Array(list) => take_from_array(list, at),
        _ => false,
    }
}

/// A value of a list goes whole: without a part it would be wrong anew.
fn take_from_array(list: &mut DeArray<'_>, at: usize) -> bool {
    let mut rest = DeArray::new();
    for item in list.iter().filter(|item| !holds(item, at)) {
        rest.push(item.clone());
    }
    let is_taken = rest.len() < list.len();
    *list = rest;
    is_taken
}

/// Whether this place is in a value. Tables with a header of their own span no more than that.
fn holds(value: &Spanned<DeValue<'_>>, at: usize) -> bool {
    let mut inner = match value.get_ref() {
        DeValue::Table(table) => table.iter(),
        _ => return value.span().contains(&at),
    };
    value.span().contains(&at)
        || inner.any(|(key, value)| key.span().contains(&at) || holds(value, at))
}
