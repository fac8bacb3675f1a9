//! `--list` and `--dry-run`: what is in a batch, and what would become of it. Nothing is handed over and nothing kept.

use std::fmt::Write as _;
use std::fs::File;
use std::path::PathBuf;
use std::process::ExitCode;

use serde::Serialize;
use uucp_core::bsmtp::Transaction;
use uucp_core::delivery::{Known, Plan};
use uucp_core::program::print;
use uucp_core::receive::content::{Messages, Sight};
use uucp_core::receive::{Origin, Site};
use uucp_core::sysexits::Failure;

use crate::batch::Batch;
use crate::cli::Arguments;
use crate::input::{Input, Opened, is_state, open_file};
use crate::run::standard_input;
use crate::unbatch::{messages, unreadable};

/// A batch. Bytes that are not UTF-8 are shown as U+FFFD.
#[derive(Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
struct Shown {
    /// Where there are several.
    #[serde(skip_serializing_if = "Option::is_none")]
    file: Option<String>,
    format: String,
    messages: Vec<ShownMessage>,
    faults: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cut: Option<String>,
}

/// One of its messages.
#[derive(Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
struct ShownMessage {
    sender: String,
    recipients: Vec<String>,
    refused: Vec<String>,
    bytes: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    fate: Option<String>,
}

/// One batch, or several.
#[derive(Debug, Serialize)]
#[serde(untagged)]
enum All {
    One(Shown),
    Many(Vec<Shown>),
}

/// Shows the batches. Of kept messages, the files that say when they are offered again are passed over.
pub(crate) fn run(
    site: &Site,
    origin: &Origin,
    arguments: &Arguments,
) -> Result<ExitCode, Failure> {
    let files = &arguments.batch;
    let is_beside = |path: &PathBuf| is_state(path) && files.contains(&path.with_extension(""));
    let wanted: Vec<&PathBuf> = files.iter().filter(|path| !is_beside(path)).collect();
    let all = match wanted.as_slice() {
        [] => All::One(show(site, origin, standard_input()?, arguments)?),
        [path] => All::One(show(site, origin, open_file(path)?, arguments)?),
        many => {
            let mut all = Vec::new();
            for path in many {
                let shown = show(site, origin, open_file(path)?, arguments)?;
                let file = Some(path.display().to_string());
                all.push(Shown { file, ..shown });
            }
            All::Many(all)
        }
    };
    print(&all, arguments.json, All::text)
}

/// A file is read where it lies. Neither the spool nor the state directory is needed.
fn show(
    site: &Site,
    origin: &Origin,
    source: File,
    arguments: &Arguments,
) -> Result<Shown, Failure> {
    let state = &site.around.state;
    let opened = Input::take(source, state, true).and_then(|input| input.open(state));
    Ok(match opened.map_err(|e| unreadable(&e))? {
        Opened::Whole(input) => {
            let mut shown = look(&input)?;
            if arguments.dry_run {
                try_out(site, origin, &input, &mut shown)?;
            }
            shown
        }
        Opened::Cut(input, why) | Opened::Damaged(input, why) => Shown {
            file: None,
            format: input.format.to_string(),
            messages: Vec::new(),
            faults: Vec::new(),
            cut: Some(why),
        },
    })
}

fn look(input: &Input) -> Result<Shown, Failure> {
    let mut shown = Shown {
        file: None,
        format: input.format.to_string(),
        messages: Vec::new(),
        faults: Vec::new(),
        cut: None,
    };
    let batch = Messages::new(input.reader().map_err(|e| unreadable(&e))?);
    let end = batch.survey(|sight| match sight {
        Sight::Message(transaction, bytes) => {
            shown.messages.push(ShownMessage::new(transaction, bytes));
        }
        Sight::Fault(fault) => shown.faults.push(fault.to_string()),
    });
    shown.cut = end
        .map_err(|e| unreadable(&e))?
        .cut
        .map(|cut| cut.to_string());
    Ok(shown)
}

/// Says of every message what would become of it now, as far as this system decides that.
fn try_out(site: &Site, origin: &Origin, input: &Input, shown: &mut Shown) -> Result<(), Failure> {
    let neighbour = origin.neighbour.as_ref();
    let known = Known::load(&site.around.state, neighbour).map_err(Failure::temporary)?;
    let policy = site.mail.policy(neighbour);
    let reader = input.reader().map_err(|e| unreadable(&e))?;
    let mut batch = Batch::trial(site, origin, reader).map_err(Failure::temporary)?;
    for message in &mut shown.messages {
        let Some((mail, is_new)) = batch.next_whole().map_err(|e| unreadable(&e))? else {
            break;
        };
        let is_done = |who: &_| known.is_done(&mail.identity, who);
        let plan = mail.plan(&policy, is_done);
        message.fate = Some(if is_new {
            fate(&plan)
        } else {
            "waits already".to_owned()
        });
    }
    Ok(())
}

fn fate(plan: &Plan) -> String {
    if plan.is_done() {
        return "all have it".to_owned();
    }
    let mut text = match plan.offered.len() {
        0 => String::new(),
        1 => "goes to 1 recipient".to_owned(),
        count => format!("goes to {count} recipients"),
    };
    for (recipient, reply) in plan.refused() {
        let separator = if text.is_empty() { "" } else { "; " };
        let _ = write!(text, "{separator}refused: {recipient}: {reply}");
    }
    text
}

impl ShownMessage {
    fn new(transaction: &Transaction, bytes: u64) -> Self {
        let recipients = transaction.recipients.iter();
        Self {
            sender: transaction.sender.to_string(),
            recipients: recipients.map(|r| r.address.to_string()).collect(),
            refused: transaction
                .refused
                .iter()
                .map(ToString::to_string)
                .collect(),
            bytes,
            fate: None,
        }
    }
}

impl All {
    fn text(&self) -> String {
        match self {
            Self::One(one) => one.text(),
            Self::Many(many) => many.iter().map(Shown::text).collect(),
        }
    }
}

impl Shown {
    /// A line a message, and one for the batch; its name before that, where there are several.
    fn text(&self) -> String {
        let mut text = String::new();
        if let Some(file) = &self.file {
            let _ = writeln!(text, "{file}:");
        }
        for message in &self.messages {
            let ShownMessage {
                sender,
                recipients,
                bytes,
                ..
            } = message;
            let _ = write!(text, "{bytes:>10} {sender} -> {}", some(recipients));
            for more in message.refused.iter().chain(&message.fate) {
                let _ = write!(text, "; {more}");
            }
            text.push('\n');
        }
        for fault in &self.faults {
            let _ = writeln!(text, "{fault}");
        }
        let end = self.cut.as_deref().unwrap_or("whole");
        let _ = writeln!(
            text,
            "{}, {}, {end}",
            self.format,
            messages(self.messages.len() as u64)
        );
        text.replace(|c: char| c.is_control() && c != '\n', "?")
    }
}

/// The first few.
fn some(recipients: &[String]) -> String {
    match recipients {
        [] => "nobody".to_owned(),
        [one, two, three, rest @ ..] if !rest.is_empty() => {
            format!("{one} {two} {three} and {} more", rest.len())
        }
        few => few.join(" "),
    }
}
