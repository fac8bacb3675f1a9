//! Requests as lines of a work file: as on the wire, but without sizes (an `E` has 0 there), and an `S` without a notify
//! field ends in a blank.

use super::request::{Form, parse_words};
use super::{CommandError, Request, garbled};

impl Request {
    /// Parses one line of a work file (without its newline).
    ///
    /// # Errors
    /// When it is no request.
    pub fn parse_work_line(line: &[u8]) -> Result<Self, CommandError> {
        let mut request = parse_words(line).ok_or_else(|| garbled(line))?;
        match &mut request {
            Self::Send(send) => send.size = None,
            Self::Execute(execute) => execute.file.size = None,
            Self::Receive(receive) => receive.size = None,
            Self::Expand(_) => {}
        }
        Ok(request)
    }

    /// Appends the request as a line of a work file, newline included, byte for byte as Taylor's `uux` and `uucp` do.
    ///
    /// # Errors
    /// When a field cannot stand in a line; `out` is unchanged then.
    pub fn emit_work_line(&self, out: &mut Vec<u8>) -> Result<(), CommandError> {
        let start = out.len();
        if let Err(error) = self.emit_form(Form::WorkFile, out) {
            out.truncate(start);
            return Err(error);
        }
        out.push(b'\n');
        Ok(())
    }
}
