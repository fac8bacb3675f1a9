//! What is known of one system, alternate by alternate.

use std::path::PathBuf;

use super::Page;
use super::calling;
use super::times::{Span, spans, whole_week};
use crate::config::time::{SizeRule, size_limit};
use crate::config::{
    CommandRules, Config, ForwardRules, PathRules, ProtocolParameter, Settings, System,
};

/// Shows a system.
pub(super) fn show(config: &Config, system: &System, page: &mut Page) {
    let aliases: Vec<String> = system.aliases.iter().map(ToString::to_string).collect();
    let aliases = if aliases.is_empty() {
        String::new()
    } else {
        format!(" ({})", aliases.join(" "))
    };
    page.line(0, format!("System: {}{aliases}", system.name));
    let several = system.alternates.len() > 1;
    let mut ever_called = false;
    for (number, settings) in system.alternates.iter().enumerate() {
        if several {
            let name = settings.alternate.as_ref();
            let name = name.map_or_else(String::new, |name| format!(" ({name})"));
            page.line(0, format!("Alternate {number}{name}"));
        }
        let alternate = Alternate {
            config,
            system,
            settings,
            several,
            calls: settings.calls && settings.can_be_called(),
            called: number == 0 || settings.called_login != system.settings().called_login,
        };
        ever_called |= alternate.calls;
        alternate.show(page);
    }
    if !ever_called {
        page.line(1, "Calls will never be placed to this system");
    }
}

/// One description of a system.
pub(super) struct Alternate<'a> {
    pub(super) config: &'a Config,
    pub(super) system: &'a System,
    pub(super) settings: &'a Settings,
    /// Whether it is one of several.
    pub(super) several: bool,
    /// Whether it is used for calls to the system.
    pub(super) calls: bool,
    /// Whether it is used for calls of the system.
    pub(super) called: bool,
}

impl Alternate<'_> {
    fn show(&self, page: &mut Page) {
        if !self.calls && !self.called {
            return page.line(1, "This alternate is never used");
        }
        if self.called {
            self.show_login(page);
        }
        if self.calls {
            calling::show(self, page);
        }
        self.show_times(page);
        self.show_sizes(page);
        self.show_permissions(page);
        let settings = self.settings;
        self.show_forwarding(page);
        if !settings.max_file_time.is_zero() {
            let seconds = settings.max_file_time.as_secs();
            page.line(1, format!("Maximum file send time: {seconds}"));
        }
        match &settings.protocols {
            Some(letters) => {
                let letters = String::from_utf8_lossy(letters);
                page.line(1, format!("Will use protocols {letters}"));
            }
            None => page.line(1, "Will use any known protocol"),
        }
        parameters(&settings.protocol_parameters, 1, page);
    }

    fn show_login(&self, page: &mut Page) {
        let settings = self.settings;
        match &settings.called_login {
            Some(login) => page.line(1, format!("When called using login name {login}")),
            None => page.line(1, "When called using any login name"),
        }
        if let Some(name) = &settings.myname {
            page.line(1, format!("Will use {name} as name of local system"));
        }
        if settings.callback {
            page.line(1, "If called, will call back");
        }
    }

    fn show_times(&self, page: &mut Page) {
        let settings = self.settings;
        if self.called {
            calling::grades(
                &settings.called_timegrade,
                "will send work",
                "(At other times will send any work)",
                page,
            );
        }
        if self.calls && !settings.success_wait.is_zero() {
            let seconds = settings.success_wait.as_secs();
            page.line(
                1,
                format!("Will wait {seconds} seconds after a successful call"),
            );
        }
        if settings.sequence {
            page.line(1, "Sequence numbers are used");
        }
        if self.called {
            calling::chat(&settings.called_chat, "When called, chat", 1, page);
        }
        if !settings.debug.is_empty() {
            page.line(1, format!("Debugging level {}", settings.debug));
        }
        if settings.max_remote_debug != crate::config::DebugSet::REMOTE_DEFAULT {
            let level = settings.max_remote_debug;
            page.line(1, format!("Max remote debugging level {level}"));
        }
    }

    fn show_sizes(&self, page: &mut Page) {
        let settings = self.settings;
        for (used, call, request, rules) in [
            (self.calls, "calling", "local", &settings.call_local_size),
            (self.calls, "calling", "remote", &settings.call_remote_size),
            (self.called, "called", "local", &settings.called_local_size),
            (
                self.called,
                "called",
                "remote",
                &settings.called_remote_size,
            ),
        ] {
            let spans = spans(|now| size_limit(rules, now));
            if used && !spans.is_empty() {
                page.line(
                    1,
                    format!("If {call} the following applies to a {request} request:"),
                );
                sizes(&spans, page);
            }
        }
    }

    fn show_permissions(&self, page: &mut Page) {
        let settings = self.settings;
        let may = |yes: bool| if yes { "May" } else { "May not" };
        if self.calls {
            let may = may(settings.call_transfer);
            page.line(1, format!("{may} make local requests when calling"));
        }
        if self.called && !settings.callback {
            let may = may(settings.called_transfer);
            page.line(1, format!("{may} make local requests when called"));
        }
        let list = |rules: &PathRules| rules.words().join(" ");
        let asks = settings.call_transfer || settings.called_transfer;
        if asks {
            let directories = list(&settings.local_send);
            page.line(1, format!("May send by local request: {directories}"));
        }
        if settings.send_request {
            let directories = list(&settings.remote_send);
            page.line(1, format!("May send by remote request: {directories}"));
        } else {
            page.line(1, "May not send files by remote request");
        }
        if asks {
            let directories = list(&settings.local_receive);
            page.line(1, format!("May accept by local request: {directories}"));
        }
        if settings.receive_request {
            let directories = list(&settings.remote_receive);
            page.line(1, format!("May receive by remote request: {directories}"));
        } else {
            page.line(1, "May not receive files by remote request");
        }
        let commands = match &settings.commands {
            CommandRules::All => "ALL".to_owned(),
            CommandRules::Listed(list) => list.join(" "),
        };
        page.line(1, format!("May execute {commands}"));
        let path = settings
            .command_path
            .iter()
            .map(|one: &PathBuf| one.display().to_string());
        let path: Vec<String> = path.collect();
        page.line(1, format!("Execution path {}", path.join(" ")));
        if settings.free_space > 0 {
            page.line(
                1,
                format!("Will leave {} bytes available", settings.free_space),
            );
        }
        let pubdir = self.config.pubdir_of(settings).display();
        page.line(1, format!("Public directory is {pubdir}"));
    }

    fn show_forwarding(&self, page: &mut Page) {
        for (way, rules) in [
            ("from", &self.settings.forward_from),
            ("to", &self.settings.forward_to),
        ] {
            let systems = match rules {
                ForwardRules::Any => "ANY".to_owned(),
                ForwardRules::Listed(list) => list.join(" "),
            };
            if !systems.is_empty() {
                page.line(1, format!("May forward {way} {systems}"));
            }
        }
    }
}

fn sizes(spans: &[Span<u64>], page: &mut Page) {
    for span in spans {
        let (when, bytes) = (span.words(), span.what);
        page.line(
            2,
            format!("{when} may transfer files {bytes} bytes or smaller"),
        );
    }
    if !whole_week(spans) {
        page.line(2, "(At other times may send files of any size)");
    }
}

/// Parameters of link protocols, letter by letter.
pub(super) fn parameters(all: &[ProtocolParameter], depth: usize, page: &mut Page) {
    let mut letters: Vec<u8> = Vec::new();
    for parameter in all {
        if !letters.contains(&parameter.letter) {
            letters.push(parameter.letter);
        }
    }
    for letter in letters {
        let shown = char::from(letter);
        page.line(
            depth,
            format!("For protocol {shown} will use the following parameters"),
        );
        for parameter in all.iter().filter(|one| one.letter == letter) {
            page.line(depth + 1, format!("{} {}", parameter.name, parameter.value));
        }
    }
}

/// The spans of a list of size limits, for whoever wants them as data.
pub(super) fn size_spans(rules: &[SizeRule]) -> Vec<Span<u64>> {
    spans(|now| size_limit(rules, now))
}
