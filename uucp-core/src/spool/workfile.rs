//! Work files: one request a line, byte for byte as Taylor writes them.

use crate::name::{Grade, JobId};
use crate::wire::command::Request;

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
