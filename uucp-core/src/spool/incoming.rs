//! What is offered to the inbox: the peer's `S` and `E`, and the answer to our own `R`, in one form.

use std::path::Path;

use crate::config::PathRules;
use crate::name::TempName;
use crate::wire::command::{ExecuteRequest, ReceiveRequest, Request, RequestOptions, SendRequest};

/// What the peer wants to send, or sends because we asked.
#[derive(Debug, Clone)]
pub struct Incoming<'a> {
    /// The file's name over there: identity, and the name in a directory.
    pub from: &'a [u8],
    /// Where it is to go here.
    pub to: &'a [u8],
    /// The user who asked.
    pub user: &'a [u8],
    /// Option letters.
    pub options: &'a RequestOptions,
    /// The temporary name, if it is one that can be used.
    pub temp: Option<TempName>,
    /// Permission bits.
    pub mode: u32,
    /// Whom to notify, or the requestor's address; empty for none.
    pub notify: &'a [u8],
    /// The size announced, in bytes.
    pub size: Option<u64>,
    /// Of an answer to our own `R`: what tells the file from what it was before, where the peer has told.
    pub version: Option<u64>,
    /// The command line of an `E`.
    pub command: Option<&'a [u8]>,
    /// Whether the request is our own (`R` out of our work file): then spool files may not be written, except for a data file
    /// of a command of our own (option `9`), and directories of the requesting user may.
    pub own_request: bool,
    /// The directories that may be written.
    pub rules: &'a PathRules,
    /// The public directory.
    pub pubdir: &'a Path,
    /// Bytes that must stay free in the file system.
    pub free_space: u64,
    /// Whether what comes of it can be trusted and continued, should it be cut: else it begins at the beginning, and nothing
    /// of it is kept.
    pub restart: bool,
}

impl<'a> Incoming<'a> {
    /// The peer's `S` or `E`; `None` for other requests.
    #[must_use]
    pub fn of_peer(
        request: &'a Request,
        rules: &'a PathRules,
        pubdir: &'a Path,
        free_space: u64,
    ) -> Option<Self> {
        let (file, command) = match request {
            Request::Send(file) => (file, None),
            Request::Execute(execute) => (&execute.file, Some(&execute.command[..])),
            _ => return None,
        };
        Some(Self {
            from: &file.from,
            to: &file.to,
            user: &file.user,
            options: &file.options,
            temp: TempName::parse(&file.temp),
            mode: file.mode,
            notify: &file.notify,
            size: file.size,
            version: None,
            command,
            own_request: false,
            rules,
            pubdir,
            free_space,
            restart: true,
        })
    }

    /// The file that answers our own `R`. Without a version it begins at the beginning.
    #[must_use]
    pub fn of_own(
        request: &'a ReceiveRequest,
        mode: u32,
        size: Option<u64>,
        version: Option<u64>,
        rules: &'a PathRules,
        pubdir: &'a Path,
        free_space: u64,
    ) -> Self {
        Self {
            from: &request.from,
            to: &request.to,
            user: &request.user,
            options: &request.options,
            temp: None,
            mode,
            notify: &[],
            size,
            version,
            command: None,
            own_request: true,
            rules,
            pubdir,
            free_space,
            restart: version.is_some(),
        }
    }

    /// The request as it stands in an `E`.
    pub(super) fn execute_request(&self, command: &[u8]) -> ExecuteRequest {
        ExecuteRequest {
            file: SendRequest {
                from: self.from.to_vec(),
                to: self.to.to_vec(),
                user: self.user.to_vec(),
                options: self.options.clone(),
                temp: Vec::new(),
                mode: self.mode,
                notify: self.notify.to_vec(),
                size: self.size,
            },
            command: command.to_vec(),
        }
    }
}
