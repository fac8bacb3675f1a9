//! The sys file: one system's description out of many, the others passed over as they are read.
//!
//! Taylor UUCP manual, *Defaults and Alternates*. What a system's n-th alternate says is, the later winning: the defaults'
//! first section, the defaults' n-th (or last) section, the system's first section, the system's n-th section.

use std::path::Path;

use super::Config;
use super::apply::{Layer, is_about_calling, says_where_to_call};
use super::command::Command;
use super::error::ConfigError;
use super::lines::{Line, Lines, Style};
use super::settings::{Settings, System};
use super::time::Timetables;
use crate::name::SystemName;

/// What becomes of a command that cannot be understood: the error again, or nothing.
pub(super) type OnFault<'a> = &'a mut dyn FnMut(ConfigError) -> Result<(), ConfigError>;

/// A sys file being read: its defaults, then one system after the other.
pub(super) struct SysFile {
    lines: Lines,
    defaults: Sections,
    /// The `system` line that ended what was read last.
    head: Option<Line>,
}

/// The sections of a description: one, and one for each `alternate`. Never empty.
#[derive(Debug, Clone)]
pub(super) struct Sections {
    list: Vec<Section>,
    /// Whether the command of a line is what follows its first word (`unknown` of the config file).
    inner: bool,
}

#[derive(Debug, Clone, Default)]
struct Section {
    alternate: Option<String>,
    lines: Vec<Line>,
}

/// One system's description as it is written.
pub(super) struct Entry {
    head: Line,
    sections: Sections,
}

impl SysFile {
    /// Opens a sys file and reads its defaults; `None` if it is not there.
    pub(super) fn open(path: &Path) -> Result<Option<Self>, ConfigError> {
        let Some(lines) = Lines::open(path, Style::Joined)? else {
            return Ok(None);
        };
        Self::new(lines).map(Some)
    }

    fn new(lines: Lines) -> Result<Self, ConfigError> {
        let mut file = Self {
            lines,
            defaults: Sections::default(),
            head: None,
        };
        file.defaults = file.read_sections()?;
        Ok(file)
    }

    /// The next system's description. Nothing of the one before is kept.
    pub(super) fn next_entry(&mut self) -> Result<Option<Entry>, ConfigError> {
        let Some(head) = self.head.take() else {
            return Ok(None);
        };
        let sections = self.read_sections()?;
        Ok(Some(Entry { head, sections }))
    }

    /// Reads up to the next `system` line.
    fn read_sections(&mut self) -> Result<Sections, ConfigError> {
        let mut sections = Sections::default();
        while let Some(line) = self.lines.next_line()? {
            if line.command().key() == "system" {
                line.command().expect_arguments(1, 1)?;
                self.head = Some(line);
                break;
            }
            sections.push(line)?;
        }
        Ok(sections)
    }

    /// What an entry says, with the defaults of this file.
    pub(super) fn resolve(
        &self,
        entry: &Entry,
        timetables: &Timetables,
    ) -> Result<System, ConfigError> {
        self.resolve_with(entry, timetables, &mut Err)
    }

    /// As [`SysFile::resolve`]; what is wrong goes to `fault`, which says whether to go on without it.
    pub(super) fn resolve_with(
        &self,
        entry: &Entry,
        timetables: &Timetables,
        fault: OnFault<'_>,
    ) -> Result<System, ConfigError> {
        let name = entry.name()?;
        let base = Settings::defaults();
        resolve_with(
            &name,
            &base,
            &self.defaults,
            &entry.sections,
            timetables,
            fault,
        )
    }

    /// The commands of the defaults.
    pub(super) fn defaults(&self) -> impl Iterator<Item = Command<'_>> {
        self.defaults.commands()
    }
}

impl Default for Sections {
    fn default() -> Self {
        Self {
            list: vec![Section::default()],
            inner: false,
        }
    }
}

impl Sections {
    /// The sections of `unknown` commands.
    pub(super) fn of_unknown() -> Self {
        Self {
            inner: true,
            ..Self::default()
        }
    }

    /// Adds a line; `alternate` begins a section.
    pub(super) fn push(&mut self, line: Line) -> Result<(), ConfigError> {
        let command = self.command(&line);
        if command.key() == "alternate" {
            // Taylor takes one word and overlooks the rest.
            let name = command.text(1)?;
            self.list.push(Section {
                alternate: Some(name).filter(|name| !name.is_empty()),
                lines: Vec::new(),
            });
        } else if let Some(section) = self.list.last_mut() {
            section.lines.push(line);
        }
        Ok(())
    }

    /// How many lines are kept.
    #[cfg(test)]
    fn kept(&self) -> usize {
        self.list.iter().map(|section| section.lines.len()).sum()
    }

    fn command<'l>(&self, line: &'l Line) -> Command<'l> {
        let command = line.command();
        if self.inner {
            command.inner().unwrap_or(command)
        } else {
            command
        }
    }

    /// All commands that begin no section.
    pub(super) fn commands(&self) -> impl Iterator<Item = Command<'_>> {
        self.list
            .iter()
            .flat_map(|section| self.commands_of(section))
    }

    fn commands_of<'s>(&'s self, section: &'s Section) -> impl Iterator<Item = Command<'s>> {
        section.lines.iter().map(|line| self.command(line))
    }

    /// The last word on `default-alternates`.
    fn default_alternates(&self) -> Result<Option<bool>, ConfigError> {
        let mut all = self.commands().filter(|c| c.key() == "default-alternates");
        all.try_fold(None, |_, command| command.one_boolean().map(Some))
    }

    /// Whether a section has a command of a kind.
    fn has(&self, index: usize, kind: fn(Command<'_>) -> bool) -> bool {
        let section = self.list.get(index);
        section.is_some_and(|section| self.commands_of(section).any(kind))
    }

    fn aliases(&self) -> impl Iterator<Item = Command<'_>> {
        self.commands().filter(|command| command.key() == "alias")
    }
}

impl Entry {
    /// The system's name.
    pub(super) fn name(&self) -> Result<SystemName, ConfigError> {
        self.head.command().one_system()
    }

    /// The line that begins it.
    pub(super) fn head(&self) -> Command<'_> {
        self.head.command()
    }

    /// Whether the entry describes the system of this name or alias.
    pub(super) fn describes(&self, name: &SystemName) -> bool {
        let wanted = name.as_bytes();
        self.head.command().bytes(1) == wanted
            || self
                .sections
                .aliases()
                .any(|alias| alias.bytes(1) == wanted)
    }

    /// The commands of the entry.
    pub(super) fn commands(&self) -> impl Iterator<Item = Command<'_>> {
        self.sections.commands()
    }
}

/// Applies the sections of defaults and of a system, for every alternate.
pub(super) fn resolve(
    name: &SystemName,
    base: &Settings,
    defaults: &Sections,
    own: &Sections,
    timetables: &Timetables,
) -> Result<System, ConfigError> {
    resolve_with(name, base, defaults, own, timetables, &mut Err)
}

fn resolve_with(
    name: &SystemName,
    base: &Settings,
    defaults: &Sections,
    own: &Sections,
    timetables: &Timetables,
    fault: OnFault<'_>,
) -> Result<System, ConfigError> {
    let mut timetables = timetables.clone();
    // A `time` for all systems does not make one of them callable of which nothing else is said.
    let first_calls = own.has(0, is_about_calling) || defaults.has(0, says_where_to_call);
    let alternates = (0..count_alternates(defaults, own)?).map(|index| {
        let mut settings = base.clone();
        let mut apply = |sections: &Sections, section: Option<&Section>| {
            let system = name.as_str();
            let mut layer = Layer::new(&mut settings, &mut timetables, system);
            apply_section(&mut layer, sections, section, fault)?;
            layer.finish();
            Ok::<_, ConfigError>(())
        };
        let last = index.min(defaults.list.len().saturating_sub(1));
        apply(defaults, defaults.list.first())?;
        apply(defaults, defaults.list.get(last).filter(|_| last > 0))?;
        apply(own, own.list.first())?;
        apply(own, own.list.get(index).filter(|_| index > 0))?;
        settings.alternate = [own, defaults]
            .iter()
            .find_map(|sections| sections.list.get(index)?.alternate.clone());
        settings.calls = index == 0
            || own.has(index, is_about_calling)
            || (first_calls && defaults.has(index, is_about_calling));
        if index == 0 && !first_calls {
            settings.time.clear();
        }
        Ok(settings)
    });
    let alternates = alternates.collect::<Result<_, ConfigError>>()?;
    let mut aliases: Vec<_> = own
        .aliases()
        .map(Command::one_system)
        .collect::<Result<_, _>>()?;
    if aliases.is_empty() {
        aliases = defaults
            .aliases()
            .map(Command::one_system)
            .collect::<Result<_, _>>()?;
    }
    Ok(System {
        name: name.clone(),
        aliases,
        alternates,
    })
}

/// How many alternates a system has: its own, and the rest of the defaults' unless `default-alternates` is false.
fn count_alternates(defaults: &Sections, own: &Sections) -> Result<usize, ConfigError> {
    let inherits = match own.default_alternates()? {
        Some(inherits) => inherits,
        None => defaults.default_alternates()?.unwrap_or(true),
    };
    let inherited = if inherits { defaults.list.len() } else { 1 };
    Ok(own.list.len().max(inherited))
}

fn apply_section(
    layer: &mut Layer<'_>,
    sections: &Sections,
    section: Option<&Section>,
    fault: OnFault<'_>,
) -> Result<(), ConfigError> {
    let Some(section) = section else {
        return Ok(());
    };
    for command in sections.commands_of(section) {
        if !matches!(command.key().as_str(), "alias" | "default-alternates") {
            layer.apply(command).or_else(&mut *fault)?;
        }
    }
    Ok(())
}

impl Config {
    /// What is said where no system at all is described: where it was looked for.
    #[must_use]
    pub fn no_system(&self) -> String {
        let files: Vec<String> = self
            .files
            .sys
            .iter()
            .map(|one| one.display().to_string())
            .collect();
        format!(
            "no sys file describes any system; looked in {}",
            files.join(", ")
        )
    }
}

#[cfg(test)]
mod tests;
