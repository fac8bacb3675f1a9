//! `[sending]`: how mail to a system is queued by senders, and how it is packed.

use std::path::PathBuf;
use std::time::Duration;

use serde::Deserialize;
use serde::de::{Deserializer, Error as _};

use super::pick;
use super::value::{self, ByteCount, Period, ProgramPath};
use crate::address::FromLineStyle;
use crate::codec::Compression;
use crate::name::{Grade, NameError, SystemName};

/// Links are down for days without anybody's wonder; after twice the week of the example in the peer's manual
/// (`uustat --older-than 168 --kill-all`) somebody should hear of it.
const AGE_LIMIT: Duration = Duration::from_hours(14 * 24);

/// It reads, encrypts and syncs some megabytes; while it does, nobody else can pack for that system.
const NNCP_TIME_LIMIT: Duration = Duration::from_mins(10);

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub(super) struct SendingSection {
    #[serde(deserialize_with = "value::by_parser")]
    grade: Option<Grade>,
    grade_by_size: Option<Vec<GradeStep>>,
    grade_by_priority: Option<Vec<PriorityStep>>,
    command: Option<String>,
    size_limit: Option<ByteCount>,
    from_line: Option<FromLineStyle>,
    format: Option<Format>,
    far_end: Option<FarEnd>,
    compression: Option<CompressionValue>,
    compression_level: Option<i32>,
    dictionary: Option<String>,
    #[serde(deserialize_with = "at_least_one")]
    batch_messages: Option<u32>,
    batch_bytes: Option<ByteCount>,
    batch_compressed_bytes: Option<ByteCount>,
    carrier: Option<Carrier>,
    nncp_node: Option<String>,
    nncp_exec: Option<ProgramPath>,
    nncp_time_limit: Option<Period>,
    age_limit: Option<Period>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct GradeStep {
    above: ByteCount,
    grade: GradeValue,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct PriorityStep {
    #[serde(deserialize_with = "priority")]
    at_least: i8,
    grade: GradeValue,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
struct GradeValue(Grade);

impl TryFrom<String> for GradeValue {
    type Error = NameError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse().map(Self)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
struct CompressionValue(Option<Compression>);

impl TryFrom<String> for CompressionValue {
    type Error = String;

    fn try_from(name: String) -> Result<Self, Self::Error> {
        match name.parse() {
            Ok(compression) => Ok(Self(Some(compression))),
            Err(_) if name == "none" => Ok(Self(None)),
            Err(error) => Err(format!("{error}; \"none\" is none")),
        }
    }
}

/// As what mail crosses the link.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Format {
    /// A job for each message: RFC 976.
    #[default]
    Rmail,
    /// Batches of many messages, packed when a call begins: RFC 2442.
    Bsmtp,
}

/// What is known of the receiver of batches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FarEnd {
    /// Nothing: `exim -bS`, say, which abandons a batch at the first parameter.
    #[default]
    Any,
    /// Our rsmtp: it is sent what the parameters say of a message, and its id, by which it knows one that comes twice.
    Bangpath,
}

/// What carries batches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Carrier {
    /// Jobs for uucico.
    #[default]
    Uucp,
    /// `nncp-exec`.
    Nncp,
}

/// How large a batch may become. A message that is larger is a batch by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BatchLimits {
    /// Messages: 1,000, unless set. What a receiver cannot take now stays with it one by one, so there is no harm in many.
    pub messages: usize,
    /// Bytes before compression: 16 MiB, unless set; so much is sent again at worst where the link cannot go on in a file.
    pub bytes: u64,
    /// Bytes after compression; `None`: any.
    pub compressed_bytes: Option<u64>,
}

impl Default for BatchLimits {
    fn default() -> Self {
        Self {
            messages: 1000,
            bytes: 16 << 20,
            compressed_bytes: None,
        }
    }
}

/// How mail to one system is queued by senders, and how it is packed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sending {
    /// Grade of mail that no step covers: `C`, as is usual for mail.
    pub grade: Grade,
    /// Grades for larger messages: (more bytes than this, grade), smallest first.
    pub grade_by_size: Vec<(u64, Grade)>,
    /// Grades for messages with a priority (MT-PRIORITY): (this or higher, grade), lowest first.
    pub grade_by_priority: Vec<(i8, Grade)>,
    /// The command asked for at the far side: `rmail`; for batches `rsmtp`, or what tells the compression in the usual way.
    pub command: String,
    /// Largest message that the link may carry, in bytes; `None`: any.
    pub size_limit: Option<u64>,
    /// How the `From ` line is written.
    pub from_line: FromLineStyle,
    /// As what mail crosses the link.
    pub format: Format,
    /// What is known of the receiver of batches.
    pub far_end: FarEnd,
    /// How batches are compressed; `None`: not at all.
    pub compression: Option<Compression>,
    /// How hard; `None`: as the codec thinks best.
    pub compression_level: Option<i32>,
    /// The zstd dictionary: its id in hexadecimal, or the path of its file.
    pub dictionary: Option<String>,
    /// How large a batch may become.
    pub batch: BatchLimits,
    /// What carries batches.
    pub carrier: Carrier,
    /// The NNCP node: called as the system, unless set.
    pub nncp_node: String,
    /// The command that makes NNCP packets.
    pub nncp_exec: PathBuf,
    /// How long it may take for one batch: 10 minutes, unless set.
    pub nncp_time_limit: Duration,
    /// How long a message waits in the outbox before it goes back to its sender: 14 days, unless set.
    pub age_limit: Duration,
}

impl Sending {
    /// The grade of a message of `size` bytes.
    #[must_use]
    pub fn grade_for(&self, size: u64) -> Grade {
        self.grade_by_size
            .iter()
            .rev()
            .find(|(above, _)| size > *above)
            .map_or(self.grade, |(_, grade)| *grade)
    }

    /// The command asked for with a batch. Where mail is queued as jobs for rmail, a batch nevertheless (of another sender, or
    /// from before) is for none.
    #[must_use]
    pub fn batch_command(&self) -> &str {
        let last = self.command.rsplit('/').next();
        match self.format {
            Format::Rmail if last == Some("rmail") => {
                usual_command(Format::Bsmtp, self.compression)
            }
            _ => &self.command,
        }
    }

    /// The grade of a message of `size` bytes that may have a priority. Where that is one of the steps it counts, however large
    /// the message is.
    #[must_use]
    pub fn grade_with_priority(&self, size: u64, priority: Option<i8>) -> Grade {
        let by_priority = priority.and_then(|priority| {
            let mut steps = self.grade_by_priority.iter().rev();
            steps.find(|(at_least, _)| priority >= *at_least)
        });
        by_priority.map_or_else(|| self.grade_for(size), |(_, grade)| *grade)
    }
}

/// What the neighbour's own section says, else the general one, else the defaults.
pub(super) fn resolve(
    own: Option<&SendingSection>,
    all: &SendingSection,
    system: &SystemName,
) -> Sending {
    let format = pick(own, all, |s| s.format).unwrap_or_default();
    let compression = pick(own, all, |s| s.compression).and_then(|value| value.0);
    let defaults = BatchLimits::default();
    Sending {
        grade: pick(own, all, |s| s.grade).unwrap_or_else(mail_grade),
        grade_by_size: by_size(pick(own, all, |s| s.grade_by_size.clone())),
        grade_by_priority: by_priority(pick(own, all, |s| s.grade_by_priority.clone())),
        command: pick(own, all, |s| s.command.clone())
            .unwrap_or_else(|| usual_command(format, compression).to_owned()),
        size_limit: pick(own, all, |s| s.size_limit).map(|b| b.0),
        from_line: pick(own, all, |s| s.from_line).unwrap_or_default(),
        format,
        far_end: pick(own, all, |s| s.far_end).unwrap_or_default(),
        compression,
        compression_level: pick(own, all, |s| s.compression_level),
        dictionary: pick(own, all, |s| s.dictionary.clone()),
        batch: BatchLimits {
            messages: pick(own, all, |s| s.batch_messages)
                .and_then(|count| usize::try_from(count).ok())
                .unwrap_or(defaults.messages),
            bytes: pick(own, all, |s| s.batch_bytes).map_or(defaults.bytes, |b| b.0),
            compressed_bytes: pick(own, all, |s| s.batch_compressed_bytes).map(|b| b.0),
        },
        carrier: pick(own, all, |s| s.carrier).unwrap_or_default(),
        nncp_node: pick(own, all, |s| s.nncp_node.clone()).unwrap_or_else(|| system.to_string()),
        nncp_exec: pick(own, all, |s| s.nncp_exec.clone())
            .map_or_else(|| "nncp-exec".into(), |path| path.0),
        nncp_time_limit: pick(own, all, |s| s.nncp_time_limit).map_or(NNCP_TIME_LIMIT, |p| p.0),
        age_limit: pick(own, all, |s| s.age_limit).map_or(AGE_LIMIT, |p| p.0),
    }
}

fn by_size(steps: Option<Vec<GradeStep>>) -> Vec<(u64, Grade)> {
    let steps = steps.unwrap_or_default().into_iter();
    let mut steps: Vec<_> = steps.map(|step| (step.above.0, step.grade.0)).collect();
    steps.sort_unstable_by_key(|(above, _)| *above);
    steps
}

/// Unless set, a message with a priority above 0 goes before others. RFC 6710: that is what a priority is for.
fn by_priority(steps: Option<Vec<PriorityStep>>) -> Vec<(i8, Grade)> {
    let Some(steps) = steps else {
        return Grade::parse(b'A')
            .map(|grade| (1, grade))
            .into_iter()
            .collect();
    };
    let mut steps: Vec<_> = steps
        .into_iter()
        .map(|step| (step.at_least, step.grade.0))
        .collect();
    steps.sort_unstable_by_key(|(at_least, _)| *at_least);
    steps
}

/// `C`: what published `uux` recipes for mail use, before `N` for files.
fn mail_grade() -> Grade {
    Grade::parse(b'C').unwrap_or(Grade::DEFAULT)
}

/// The names that receivers of batches go by. zstd and xz have none of their own; ours looks at the data.
fn usual_command(format: Format, compression: Option<Compression>) -> &'static str {
    match (format, compression) {
        (Format::Rmail, _) => "rmail",
        (Format::Bsmtp, Some(Compression::Gzip)) => "rgsmtp",
        (Format::Bsmtp, Some(Compression::Bzip2)) => "rbsmtp",
        (Format::Bsmtp, _) => "rsmtp",
    }
}

fn at_least_one<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u32>, D::Error> {
    match u32::deserialize(deserializer)? {
        0 => Err(D::Error::custom("a batch has one message at least")),
        count => Ok(Some(count)),
    }
}

fn priority<'de, D: Deserializer<'de>>(deserializer: D) -> Result<i8, D::Error> {
    match i8::deserialize(deserializer)? {
        priority @ -9..=9 => Ok(priority),
        other => Err(D::Error::custom(format!(
            "'{other}' is not a priority: -9 to 9"
        ))),
    }
}
