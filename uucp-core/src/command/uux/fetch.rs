//! Files of other systems: asked for now, and sent on when they have come.

use super::execute_text::ExecuteText;
use super::{Request, local, of_spool};
use crate::name::{JobId, SpoolKind, SpoolName, SystemName};
use crate::sysexits::Failure;
use crate::wire::command::{ReceiveRequest, Request as Wire, RequestOptions};

/// A file of a system, and its path there.
pub(super) struct Remote {
    pub(super) system: SystemName,
    pub(super) path: Vec<u8>,
}

/// The file comes into the spool under this name, which an execute file waits for.
pub(super) fn fetch(
    request: &Request<'_>,
    name: &SpoolName,
    file: &Remote,
) -> Result<JobId, Failure> {
    let receive = Wire::Receive(ReceiveRequest {
        from: file.path.clone(),
        to: name.as_bytes().to_vec(),
        user: request.user.clone(),
        options: RequestOptions::new(b"9"),
        size: None,
    });
    request
        .spool
        .queue(&file.system, request.grade, &[receive], Vec::new())
        .map_err(|e| of_spool(&e))
}

/// The file is to be at another system under a name that an execute file there waits for: a command that is executed here
/// sends it on. That command is there before the request, so that what has been fetched is never without an aim.
pub(super) fn pass_on(
    request: &Request<'_>,
    file: &Remote,
    to: &[&SystemName],
    name: &SpoolName,
) -> Result<JobId, Failure> {
    let data = request.spool.peer_name(SpoolKind::Data, request.grade);
    let mut text = ExecuteText::default();
    let here = request.config.nodename.as_bytes();
    text.push(b'U', &[&request.user, here]);
    text.push(b'F', &[data.as_bytes(), data.as_bytes()]);
    push_uucp(&mut text, request, data.as_bytes(), to, name);
    local::take_command(request, &text)?;
    fetch(request, &data, file)
}

/// The command that sends a file on to a system, the last of these, under a name of its spool.
pub(super) fn push_uucp(
    text: &mut ExecuteText,
    request: &Request<'_>,
    file: &[u8],
    to: &[&SystemName],
    name: &SpoolName,
) {
    let mut target = Vec::new();
    for system in to {
        target.extend_from_slice(system.as_bytes());
        target.push(b'!');
    }
    target.extend_from_slice(name.as_bytes());
    let grade = [request.grade.byte()];
    text.push(
        b'C',
        &[b"uucp", b"-C", b"-W", b"-d", b"-g", &grade, file, &target],
    );
}
