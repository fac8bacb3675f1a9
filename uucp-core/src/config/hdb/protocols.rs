//! The link protocols behind the comma of a type: `TCP,te`, `TCP,t,g`, `ACU,g(7,256)`.

use super::lines::Line;
use crate::config::error::ConfigError;

/// As commands of a sys or port file.
pub(super) fn commands(line: &Line, text: Option<&str>) -> Result<Vec<String>, ConfigError> {
    let text = text.unwrap_or_default();
    let wrong = || {
        let message = "these are no link protocols, which are letters, each perhaps with (WINDOW) or (WINDOW,SIZE)";
        line.wrong(text, message)
    };
    let (mut letters, mut parameters) = (String::new(), Vec::new());
    let mut rest = text;
    while let Some(letter) = rest.chars().next() {
        rest = rest.get(letter.len_utf8()..).unwrap_or_default();
        match letter {
            ',' => {}
            letter if letter.is_ascii_alphanumeric() => letters.push(letter),
            '(' => {
                let last = letters.chars().last().ok_or_else(wrong)?;
                let (inner, behind) = rest.split_once(')').ok_or_else(wrong)?;
                rest = behind;
                for (name, value) in ["window", "packet-size"].iter().zip(inner.splitn(2, ',')) {
                    let value: u32 = value.parse().map_err(|_| wrong())?;
                    parameters.push(format!("protocol-parameter {last} {name} {value}"));
                }
            }
            _ => return Err(wrong()),
        }
    }
    let protocol = (!letters.is_empty()).then(|| format!("protocol {letters}"));
    Ok(protocol.into_iter().chain(parameters).collect())
}
