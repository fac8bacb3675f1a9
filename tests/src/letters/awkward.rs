//! Addresses that are not as RFC 5321 has them, and that an MTA which is told them as they are takes for other people's.

use super::{Fate, Letter, Route};

/// Local parts as a careless sender writes them; without quotes each is, to some MTA, bob, carl, or a list with one of them.
const UNQUOTED: &[&str] = &["a bob", "x,carl", "carl,x", "x;carl", "x:carl", "x(y)carl"];

/// What no MTA delivers to.
const NOWHERE: &[&str] = &["user@", "x@hub..example", "x@hub,carl", "x@hub carl"];

/// A batch of letters to such addresses, and the letters as they are to be judged. Their numbers begin with `tag`.
pub fn awkward(tag: &str, route: Route) -> (Vec<Letter>, Vec<u8>) {
    let mut letters = Vec::new();
    let mut batch = Vec::new();
    for local in UNQUOTED {
        let quoted = format!("\"{local}\"");
        let to = [(quoted.as_str(), Fate::Either), ("bob", Fate::Arrives)];
        let number = format!("{tag}-a{}", letters.len());
        let mut letter = Letter::new(&number, route, "ann", &to, b"awkward\n");
        let meant = letter.message.recipients.clone();
        letter.message.recipients = meant.iter().map(|to| to.replace('"', "")).collect();
        batch.extend(letter.in_batch());
        letter.message.recipients = meant;
        letters.push(letter);
    }
    for nowhere in NOWHERE {
        let to = [("bob", Fate::Arrives), ("x", Fate::Refused)];
        let number = format!("{tag}-a{}", letters.len());
        let mut letter = Letter::new(&number, route, "ann", &to, b"for nobody and bob\n");
        letter.message.recipients.pop();
        letter.message.recipients.push((*nowhere).to_owned());
        batch.extend(letter.in_batch());
        letters.push(letter);
    }
    (letters, batch)
}
