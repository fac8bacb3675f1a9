//! Work files: one request a line, byte for byte as Taylor writes them.
//!
//! A file that is cut (its last line has no newline), binary, or has a line that is no request, is not understood as a
//! whole: half a job done is worse than a job set aside where people see it.

use crate::name::{Grade, JobId, NameError, SpoolName, SystemName};
use crate::wire::command::{CommandError, Request};

/// Longest work file read, in bytes. One of 2,000 lines is a tenth of this.
pub(super) const WORK_FILE_LIMIT: u64 = 4 << 20;

/// The temporary name in a request whose file lies where it is and has no other, as of one that the peer has asked for by a
/// pattern.
pub const ASKED_FOR: &[u8] = b"D.0";

/// A work file as read. Without any request it is a poll request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WorkFile {
    /// The job.
    pub job: JobId,
    /// Its grade.
    pub grade: Grade,
    /// Its requests in order.
    pub requests: Vec<Request>,
}

impl WorkFile {
    /// Understands the content of a work file.
    ///
    /// # Errors
    /// The reason, where it cannot be understood.
    pub fn parse(system: &SystemName, work: &SpoolName, content: &[u8]) -> Result<Self, String> {
        let grade = grade_of_work(work).map_err(|e| e.to_string())?;
        Ok(Self {
            job: JobId {
                system: system.clone(),
                work: work.clone(),
            },
            grade,
            requests: parse_requests(content)?,
        })
    }
}

/// The grade of a work file: the first character of its name.
pub(super) fn grade_of_work(work: &SpoolName) -> Result<Grade, NameError> {
    Grade::parse(work.as_bytes().get(2).copied().unwrap_or_default())
}

fn parse_requests(content: &[u8]) -> Result<Vec<Request>, String> {
    let Some(lines) = content.strip_suffix(b"\n") else {
        return if content.is_empty() {
            Ok(Vec::new())
        } else {
            Err("its last line is cut".to_owned())
        };
    };
    let mut requests = Vec::new();
    for (index, line) in lines.split(|b| *b == b'\n').enumerate() {
        if line.contains(&0) {
            return Err(format!("line {} is binary", index + 1));
        }
        if line.iter().all(u8::is_ascii_whitespace) {
            continue;
        }
        let request = Request::parse_work_line(line)
            .map_err(|error| format!("line {}: {error}", index + 1))?;
        requests.push(request);
    }
    Ok(requests)
}

/// The content of a work file.
///
/// # Errors
/// When a field of a request cannot stand in a line.
pub(super) fn emit_requests(requests: &[Request]) -> Result<Vec<u8>, CommandError> {
    let mut content = Vec::new();
    for request in requests {
        request.emit_work_line(&mut content)?;
    }
    Ok(content)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn parse(content: &[u8]) -> Result<WorkFile, String> {
        let system = "beta".parse().unwrap();
        let name = SpoolName::parse(b"C.NLFVbaAAAGV6").unwrap();
        WorkFile::parse(&system, &name, content)
    }

    /// Written by Debian's uux and uucp.
    const TAYLORS: &[&str] = &[
        "E D.0001 D.alphaN0001 uucp -C D.0001 0666 \"\" 0 rmail joe@x.example\n",
        "E D.0001 D.alphaC0001 uucp -CNR D.0001 0666 boss@x 0 rmail joe@x.example\n",
        "E D.0001 D.alphaN0001 uucp -CZe D.0001 0666 \"\" 0 rmail joe@x.example ann;b@y\n",
        "S /home/alpha/f1m D.alphaN0001 uucp -c D.0001 0666 \nS D.X0002 X.alphaN0002 uucp -C D.X0002 0666 \n",
        "S /home/alpha/f1m ~/f uucp -Cdmn D.0001 0644 ann\n",
        "S /home/alpha/sp\\040ace ~/f uucp -Cdq D.0001 0644 \n",
        "R ~/f /home/alpha/pub/ uucp -d\n",
        "X ~/f* alpha!/home/alpha/pub/ uucp -d\n",
    ];

    #[test]
    fn taylors_work_files_are_read_and_written_byte_for_byte() {
        for content in TAYLORS {
            let work = parse(content.as_bytes()).unwrap();
            assert_eq!(work.grade, Grade::DEFAULT);
            assert_eq!(work.job.to_string(), "beta.NLFVbaAAAGV6");
            let emitted = emit_requests(&work.requests).unwrap();
            assert_eq!(
                emitted.escape_ascii().to_string(),
                content.as_bytes().escape_ascii().to_string()
            );
        }
    }

    #[test]
    fn an_empty_work_file_is_a_poll_request() {
        assert_eq!(parse(b"").unwrap().requests, []);
    }

    #[test]
    fn what_is_cut_or_binary_or_foreign_is_told() {
        let good = TAYLORS[0].as_bytes();
        let cut = parse(&good[..good.len() - 4]).unwrap_err();
        assert!(cut.contains("cut"), "{cut}");
        let binary = parse(b"S a b\0 c -C D.1 0644 \n").unwrap_err();
        assert!(binary.contains("line 1 is binary"), "{binary}");
        let foreign = parse(b"R ~/f /x uucp -d\nZ what\n").unwrap_err();
        assert!(foreign.contains("line 2"), "{foreign}");
    }

    proptest! {
        #[test]
        fn any_bytes_parse_or_do_not_but_never_panic(content: Vec<u8>) {
            if let Ok(work) = parse(&content)
                && let Ok(emitted) = emit_requests(&work.requests)
            {
                prop_assert_eq!(parse(&emitted).unwrap().requests, work.requests);
            }
        }

        #[test]
        fn emitted_requests_parse_to_themselves(
            from in "[ -~]{1,40}", user in "[a-z]{1,8}", notify in "[ -~]{0,20}", command in "[a-z][ -~]{0,60}[a-z]",
        ) {
            use crate::wire::command::{ExecuteRequest, RequestOptions, SendRequest};
            prop_assume!(notify != "\"\"" && !notify.starts_with(' '));
            let request = Request::Execute(ExecuteRequest {
                file: SendRequest {
                    from: from.into_bytes(),
                    to: b"D.alphaN0001".to_vec(),
                    user: user.into_bytes(),
                    options: RequestOptions::new(b"CR"),
                    temp: b"D.0001".to_vec(),
                    mode: 0o666,
                    notify: notify.into_bytes(),
                    size: None,
                },
                command: command.into_bytes(),
            });
            let content = emit_requests(std::slice::from_ref(&request)).unwrap();
            prop_assert_eq!(parse(&content).unwrap().requests, [request]);
        }
    }
}
