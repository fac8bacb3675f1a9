//! Requests and refusals in the words of the log.

use crate::wire::command::{Refusal, Request, RequestKind};

/// A request in the words of the log: `rmail joe@x (D.0001) (6 bytes)`.
pub(super) fn described(request: &Request, size: Option<u64>, position: u64) -> String {
    let shown = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let what = match request {
        Request::Execute(execute) => {
            format!(
                "{} ({})",
                shown(&execute.command),
                shown(&execute.file.from)
            )
        }
        Request::Send(send) => shown(&send.from),
        Request::Receive(receive) => shown(&receive.from),
        Request::Expand(expand) => shown(&expand.pattern),
    };
    counted(what, size, position)
}

/// A request of the peer in the words of the log: `rmail joe@x (6 bytes)`.
pub(super) fn announced(request: &Request, size: Option<u64>, position: u64) -> String {
    let shown = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let what = match request {
        Request::Execute(execute) => shown(&execute.command),
        Request::Send(send) => shown(&send.to),
        other => described(other, None, 0),
    };
    counted(what, size, position)
}

fn counted(what: String, size: Option<u64>, position: u64) -> String {
    match (size, position) {
        (None, _) => what,
        (Some(size), 0) => format!("{what} ({size} bytes)"),
        (Some(size), position) => format!("{what} ({size} bytes resume at {position})"),
    }
}

pub(super) fn explained(refusal: Refusal) -> &'static str {
    match refusal {
        Refusal::Unexplained => "no reason given",
        Refusal::NotPermitted => "permission denied",
        Refusal::CannotCreate => "the other system cannot create its work file",
        Refusal::NotPlaced => "the file could not be moved into its final location",
        Refusal::TooLargeNow => {
            "too large for receiver now: it has no room for it at the moment, or takes nothing as large at this hour"
        }
        Refusal::TooLarge => "too large for receiver",
        Refusal::AlreadyReceived => "already received",
        Refusal::NoChannel => "no channel free",
    }
}

/// Whether a request brings an execution, with its own file or as an execute file.
pub(super) fn is_execution(request: &Request) -> bool {
    match request {
        Request::Send(send) => send.to.starts_with(b"X."),
        other => other.kind() == RequestKind::Execute,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_decimal_and_a_file_that_is_too_large_now_says_why() {
        let counted = counted("D.1".to_owned(), Some(300_000), 196_608);
        assert_eq!(counted, "D.1 (300000 bytes resume at 196608)");
        assert!(explained(Refusal::TooLargeNow).contains("it has no room for it"));
        assert!(!explained(Refusal::TooLarge).contains("room"));
    }
}
