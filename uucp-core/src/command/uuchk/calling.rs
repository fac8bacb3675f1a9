//! How a system is called: over which ports, with which words, when.

use std::time::Duration;

use super::Page;
use super::ports;
use super::system::Alternate;
use super::times::{spans, whole_week};
use crate::config::time::{GradeRule, call_window, grade_limit};
use crate::config::{CallWord, Chat, Config, PortChoice, PortKind, Settings, System};
use crate::engine;
use crate::name::Grade;

/// Shows what is done to call.
pub(super) fn show(alternate: &Alternate<'_>, page: &mut Page) {
    let Alternate {
        config,
        system,
        settings,
        ..
    } = *alternate;
    let is_tcp = show_ports(alternate, page);
    if let Some(phone) = &settings.phone {
        let phone = String::from_utf8_lossy(phone);
        let what = if is_tcp && settings.speed.is_none() {
            "Remote address"
        } else {
            "Phone number"
        };
        page.line(1, format!("{what} {phone}"));
    }
    chat(&settings.chat, "Chat", 1, page);
    credentials(config, system, settings, page);
    windows(settings, page);
    grades(
        &settings.call_timegrade,
        "may accept work",
        "(At other times may accept any work)",
        page,
    );
}

/// Shows the ports that may be tried; whether all of them are TCP.
fn show_ports(alternate: &Alternate<'_>, page: &mut Page) -> bool {
    let settings = alternate.settings;
    let lead = if alternate.several {
        "This alternate applies when calling"
    } else {
        "Call out"
    };
    let found = engine::ports(alternate.config, settings, None).unwrap_or_default();
    let is_tcp = !found.is_empty() && found.iter().all(|p| matches!(p.kind, PortKind::Tcp(_)));
    if let PortChoice::Inline(port) = &settings.port {
        page.line(1, format!("{lead} using a specially defined port"));
        page.line(1, "The port is defined as:");
        ports::show(alternate.config, port, page);
        return is_tcp;
    }
    let mut how = Vec::new();
    if let PortChoice::Named(name) = &settings.port {
        how.push(format!("using port {name}"));
    }
    match (settings.speed, settings.speed_range) {
        (Some(speed), _) => how.push(format!("at speed {speed}")),
        (None, Some((low, high))) => how.push(format!("at speed {low} to {high}")),
        (None, None) if how.is_empty() => how.push("using any port".into()),
        (None, None) => {}
    }
    page.line(1, format!("{lead} {}", how.join(" ")));
    page.line(1, "The possible ports are:");
    if found.is_empty() {
        page.line(1, "*** There are no matching ports");
    }
    for port in &found {
        ports::show(alternate.config, port, page);
    }
    is_tcp
}

/// Shows a chat; `lead` is what its lines begin with.
pub(super) fn chat(chat: &Chat, lead: &str, depth: usize, page: &mut Page) {
    if let Some(program) = chat.program_words() {
        page.line(depth, format!("{lead} program {}", program.join(" ")));
    }
    if chat.script.is_empty() {
        return;
    }
    page.line(depth, format!("{lead} script {}", chat.words().join(" ")));
    page.line(
        depth,
        format!("{lead} script timeout {}", chat.timeout.as_secs()),
    );
    let fail = chat.fail_words();
    if !fail.is_empty() {
        page.line(depth, format!("{lead} failure strings {}", fail.join(" ")));
    }
    if chat.seven_bit {
        page.line(
            depth,
            format!("{lead} script incoming bytes stripped to seven bits"),
        );
    }
}

fn credentials(config: &Config, system: &System, settings: &Settings, page: &mut Page) {
    let looked_up = config.call_credentials(&system.name).ok().flatten();
    let word = |word: &Option<CallWord>, found: Option<Vec<u8>>| match word {
        Some(CallWord::Literal(text)) => Some(text.expose().to_vec()),
        Some(CallWord::LookUp) => found,
        None => None,
    };
    let login = word(
        &settings.call_login,
        looked_up.as_ref().map(|one| one.login.clone()),
    );
    let password = word(
        &settings.call_password,
        looked_up.map(|one| one.password.expose().to_vec()),
    );
    if let Some(login) = &login {
        page.line(1, format!("Login name {}", login.escape_ascii()));
    }
    if password.is_some() {
        page.line(1, "Password ****");
    }
    let looks = matches!(settings.call_login, Some(CallWord::LookUp));
    if looks && login.is_none() {
        page.line(1, "Can not determine login name or password");
    }
}

fn windows(settings: &Settings, page: &mut Page) {
    let spans = spans(|now| call_window(&settings.time, now));
    for span in &spans {
        let work = if span.what.grade == Grade::LAST {
            "any work".to_owned()
        } else {
            format!("work grade {} or higher", span.what.grade)
        };
        let minutes = |retry: Duration| format!(" (retry {})", retry.as_secs() / 60);
        let retry = span.what.retry.map_or_else(String::new, minutes);
        page.line(1, format!("{} may call if {work}{retry}", span.words()));
    }
    if spans.iter().any(|span| span.what.retry.is_none()) {
        let most = settings.max_retries;
        page.line(1, format!("May retry the call up to {most} times"));
    }
}

/// Shows grades by time of day.
pub(super) fn grades(rules: &[GradeRule], what: &str, others: &str, page: &mut Page) {
    let spans = spans(|now| grade_limit(rules, now));
    for span in &spans {
        let when = span.words();
        page.line(1, format!("{when} {what} grade {} or higher", span.what));
    }
    if !spans.is_empty() && !whole_week(&spans) {
        page.line(1, others);
    }
}
