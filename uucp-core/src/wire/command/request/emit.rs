//! Writing requests, for the wire and for work files.

use super::{ExecuteRequest, Request, RequestOptions, SendRequest};
use crate::wire::command::{CommandError, Features, uncarriable};
use crate::wire::quoting::{must_be_quoted, quote};

/// Which of the two forms of a request is meant.
#[derive(Debug, Clone, Copy)]
pub(in crate::wire::command) enum Form {
    Wire(Features),
    WorkFile,
}

impl Form {
    /// Whether the fields must be quoted.
    fn quoting(self, fields: &[&[u8]]) -> Result<bool, CommandError> {
        let needed = fields
            .iter()
            .any(|field| field.iter().any(|b| must_be_quoted(*b)));
        match self {
            Self::Wire(features) if needed && !features.contains(Features::QUOTING) => Err(
                CommandError::NotAgreed("quoted fields (a name holds a blank)"),
            ),
            _ => Ok(needed),
        }
    }
}

impl Request {
    /// Appends the request in one of its forms; what was appended before an error stays.
    pub(in crate::wire::command) fn emit_form(
        &self,
        form: Form,
        out: &mut Vec<u8>,
    ) -> Result<(), CommandError> {
        out.push(self.kind().letter());
        match self {
            Self::Send(request) => emit_send(request, form, out),
            Self::Execute(request) => emit_execute(request, form, out),
            Self::Receive(r) => {
                let quoted = form.quoting(&[&r.from, &r.to, &r.user])?;
                emit_field("from", &r.from, quoted, out)?;
                emit_field("to", &r.to, quoted, out)?;
                emit_field("user", &r.user, quoted, out)?;
                emit_options(&r.options, quoted, out);
                if let (Form::Wire(features), Some(size)) = (form, r.size)
                    && features.contains(Features::SIZES)
                {
                    emit_size(size, features, out);
                }
                Ok(())
            }
            Self::Expand(r) => {
                let quoted = form.quoting(&[&r.pattern, &r.destination, &r.user])?;
                emit_field("pattern", &r.pattern, quoted, out)?;
                emit_field("destination", &r.destination, quoted, out)?;
                emit_field("user", &r.user, quoted, out)?;
                emit_options(&r.options, quoted, out);
                Ok(())
            }
        }
    }
}

fn emit_field(
    field: &'static str,
    value: &[u8],
    quoted: bool,
    out: &mut Vec<u8>,
) -> Result<(), CommandError> {
    if value.is_empty() {
        return Err(uncarriable(field, value));
    }
    out.push(b' ');
    if quoted {
        quote(value, out);
    } else {
        out.extend_from_slice(value);
    }
    Ok(())
}

fn emit_options(options: &RequestOptions, quoted: bool, out: &mut Vec<u8>) {
    out.extend_from_slice(b" -");
    out.extend_from_slice(options.letters());
    if quoted {
        out.push(b'q');
    }
}

fn emit_size(size: u64, features: Features, out: &mut Vec<u8>) {
    let text = if features.contains(Features::DECIMAL) {
        format!(" {size}")
    } else {
        format!(" 0x{size:x}")
    };
    out.extend_from_slice(text.as_bytes());
}

/// The fields that `S` and `E` have in common, up to and with the mode; tells whether they are quoted.
fn emit_file(r: &SendRequest, form: Form, out: &mut Vec<u8>) -> Result<bool, CommandError> {
    let quoted = form.quoting(&[&r.from, &r.to, &r.user, &r.notify])?;
    emit_field("from", &r.from, quoted, out)?;
    emit_field("to", &r.to, quoted, out)?;
    emit_field("user", &r.user, quoted, out)?;
    emit_options(&r.options, quoted, out);
    if r.temp.iter().any(|b| must_be_quoted(*b)) {
        return Err(uncarriable("temporary name", &r.temp));
    }
    emit_field("temporary name", &r.temp, false, out)?;
    out.extend_from_slice(format!(" 0{:03o} ", r.mode & 0o7777).as_bytes());
    Ok(quoted)
}

fn emit_notify(notify: &[u8], quoted: bool, out: &mut Vec<u8>) {
    if notify.is_empty() {
        out.extend_from_slice(b"\"\"");
    } else if quoted {
        quote(notify, out);
    } else {
        out.extend_from_slice(notify);
    }
}

fn emit_send(r: &SendRequest, form: Form, out: &mut Vec<u8>) -> Result<(), CommandError> {
    let quoted = emit_file(r, form, out)?;
    match form {
        Form::Wire(features) if features.contains(Features::SIZES) => {
            emit_notify(&r.notify, quoted, out);
            if features.contains(Features::DUMMY) {
                out.extend_from_slice(b" dummy");
            }
            if let Some(size) = r.size {
                emit_size(size, features, out);
            }
        }
        // The blank before an empty notify field stays, as in Taylor's own work files.
        _ if r.notify.is_empty() => {}
        _ => emit_notify(&r.notify, quoted, out),
    }
    Ok(())
}

fn emit_execute(r: &ExecuteRequest, form: Form, out: &mut Vec<u8>) -> Result<(), CommandError> {
    let bad = |b: &u8| matches!(b, 0 | b'\n' | b'\r');
    if r.command.is_empty() || r.command.first() == Some(&b' ') || r.command.iter().any(bad) {
        return Err(uncarriable("command", &r.command));
    }
    let quoted = emit_file(&r.file, form, out)?;
    emit_notify(&r.file.notify, quoted, out);
    match form {
        Form::Wire(features) => emit_size(r.file.size.unwrap_or(0), features, out),
        Form::WorkFile => out.extend_from_slice(b" 0"),
    }
    out.push(b' ');
    for &byte in &r.command {
        if quoted && byte == b'\\' {
            out.push(b'\\');
        }
        out.push(byte);
    }
    Ok(())
}
