//! The same facts as one JSON object.

use serde_json::{Value, json};

use super::system::size_spans;
use super::times::{Span, spans};
use super::{config_file, file_lists, run_uuxqt};
use crate::config::time::{GradeRule, call_window, grade_limit};
use crate::config::{
    CommandRules, Config, Faults, ForwardRules, PathRules, PortChoice, PortConfig, Settings, System,
};
use crate::engine;
use crate::name::{Grade, SystemName};

/// The object, as text that ends in a line feed.
pub(super) fn report(config: &Config, systems: &[System], faults: &Faults, alone: bool) -> String {
    let systems: Vec<Value> = systems.iter().map(|one| system(config, one)).collect();
    let mut report =
        json!({ "systems": systems, "faults": faults.messages(), "notes": faults.notes() });
    if let (Some(map), false) = (report.as_object_mut(), alone) {
        map.insert("config".into(), head(config));
    }
    format!("{report:#}\n")
}

fn head(config: &Config) -> Value {
    let files: serde_json::Map<String, Value> = file_lists(config)
        .into_iter()
        .map(|(name, list)| (name.to_owned(), json!(list)))
        .collect();
    json!({
        "file": config_file(config),
        "files": files,
        "nodename": config.nodename.as_str(),
        "spool": config.spool,
        "pubdir": config.pubdir,
        "lockdir": config.lockdir,
        "logfile": config.logfile,
        "statfile": config.statfile,
        "debugfile": config.debugfile,
        "debug": config.debug.to_string(),
        "strip-login": config.strip_login,
        "strip-proto": config.strip_proto,
        "max-uuxqts": config.max_uuxqts,
        "run-uuxqt": run_uuxqt(config.run_uuxqt),
    })
}

fn system(config: &Config, system: &System) -> Value {
    let aliases: Vec<&str> = system.aliases.iter().map(SystemName::as_str).collect();
    let alternates = system.alternates.iter();
    let alternates: Vec<Value> = alternates.map(|one| alternate(config, one)).collect();
    json!({ "name": system.name.as_str(), "aliases": aliases, "alternates": alternates })
}

fn alternate(config: &Config, settings: &Settings) -> Value {
    let mut all = json!({
        "name": settings.alternate,
        "calls": settings.calls && settings.can_be_called(),
        "called-login": settings.called_login,
        "callback": settings.callback,
        "sequence": settings.sequence,
        "myname": settings.myname.as_ref().map(SystemName::as_str),
        "speed": settings.speed,
        "speed-range": settings.speed_range,
        "phone": settings.phone.as_deref().map(String::from_utf8_lossy),
        "chat": settings.chat.words(),
        "chat-timeout": settings.chat.timeout.as_secs(),
        "max-retries": settings.max_retries,
        "success-wait": settings.success_wait.as_secs(),
        "max-file-time": settings.max_file_time.as_secs(),
        "debug": settings.debug.to_string(),
        "max-remote-debug": settings.max_remote_debug.to_string(),
    });
    merge(&mut all, ways(config, settings));
    merge(&mut all, times(settings));
    merge(&mut all, permissions(config, settings));
    all
}

fn merge(all: &mut Value, more: Value) {
    if let (Some(all), Value::Object(more)) = (all.as_object_mut(), more) {
        all.extend(more);
    }
}

fn ways(config: &Config, settings: &Settings) -> Value {
    let name = match &settings.port {
        PortChoice::Named(name) => Some(name.as_str()),
        PortChoice::None | PortChoice::Inline(_) => None,
    };
    let found = engine::ports(config, settings, None).unwrap_or_default();
    let ports: Vec<Value> = found.iter().map(port).collect();
    let protocols = settings.protocols.as_deref().map(String::from_utf8_lossy);
    let parameters = settings.protocol_parameters.iter();
    let parameters: Vec<Value> = parameters
        .map(|one| json!([char::from(one.letter), one.name, one.value]))
        .collect();
    json!({
        "port": name,
        "ports": ports,
        "protocol": protocols,
        "protocol-parameters": parameters,
    })
}

fn port(port: &PortConfig) -> Value {
    json!({ "name": port.name, "type": port.kind.name() })
}

fn times(settings: &Settings) -> Value {
    let window = spans(|now| call_window(&settings.time, now));
    let time: Vec<Value> = window
        .iter()
        .map(|span| {
            let mut value = when(span);
            let minutes = span.what.retry.map(|retry| retry.as_secs() / 60);
            merge(
                &mut value,
                json!({ "grade": span.what.grade.to_string(), "retry": minutes }),
            );
            value
        })
        .collect();
    json!({
        "time": time,
        "call-timegrade": grades(&settings.call_timegrade),
        "called-timegrade": grades(&settings.called_timegrade),
        "call-local-size": sizes(&size_spans(&settings.call_local_size)),
        "call-remote-size": sizes(&size_spans(&settings.call_remote_size)),
        "called-local-size": sizes(&size_spans(&settings.called_local_size)),
        "called-remote-size": sizes(&size_spans(&settings.called_remote_size)),
    })
}

/// `{"from": "Mon 09:00", "to": "Mon 10:00"}`.
fn when<T>(span: &Span<T>) -> Value {
    let ((from, at), (to, until)) = span.ends();
    json!({ "from": format!("{from} {at}"), "to": format!("{to} {until}") })
}

fn grades(rules: &[GradeRule]) -> Vec<Value> {
    let spans = spans(|now| grade_limit(rules, now));
    let grade = |span: &Span<Grade>| {
        let mut value = when(span);
        merge(&mut value, json!({ "grade": span.what.to_string() }));
        value
    };
    spans.iter().map(grade).collect()
}

fn sizes(spans: &[Span<u64>]) -> Vec<Value> {
    let size = |span: &Span<u64>| {
        let mut value = when(span);
        merge(&mut value, json!({ "bytes": span.what }));
        value
    };
    spans.iter().map(size).collect()
}

fn permissions(config: &Config, settings: &Settings) -> Value {
    let list = |rules: &PathRules| rules.words();
    let forward = |rules: &ForwardRules| match rules {
        ForwardRules::Any => vec!["ANY".to_owned()],
        ForwardRules::Listed(list) => list.clone(),
    };
    let commands = match &settings.commands {
        CommandRules::All => vec!["ALL".to_owned()],
        CommandRules::Listed(list) => list.clone(),
    };
    json!({
        "send-request": settings.send_request,
        "receive-request": settings.receive_request,
        "call-transfer": settings.call_transfer,
        "called-transfer": settings.called_transfer,
        "local-send": list(&settings.local_send),
        "remote-send": list(&settings.remote_send),
        "local-receive": list(&settings.local_receive),
        "remote-receive": list(&settings.remote_receive),
        "commands": commands,
        "command-path": settings.command_path,
        "free-space": settings.free_space,
        "pubdir": config.pubdir_of(settings),
        "forward-from": forward(&settings.forward_from),
        "forward-to": forward(&settings.forward_to),
    })
}
