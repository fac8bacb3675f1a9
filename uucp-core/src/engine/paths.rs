//! Names of files outside the spool, as requests give them.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Component, Path, PathBuf};

/// The absolute path that a name of a request means: `/...` as it is, `~/...` and anything else below the public
/// directory. `None` for `~user`, a NUL, or a `..` anywhere.
pub(super) fn absolute(name: &[u8], pubdir: &Path) -> Option<PathBuf> {
    if name.is_empty() || name.contains(&0) {
        return None;
    }
    let path = match name {
        [b'/', ..] => PathBuf::from(OsStr::from_bytes(name)),
        b"~" => pubdir.to_path_buf(),
        [b'~', b'/', rest @ ..] => {
            let rest = rest
                .iter()
                .position(|b| *b != b'/')
                .and_then(|at| rest.get(at..));
            pubdir.join(OsStr::from_bytes(rest.unwrap_or_default()))
        }
        [b'~', ..] => return None,
        relative => pubdir.join(OsStr::from_bytes(relative)),
    };
    let climbs = path.components().any(|part| part == Component::ParentDir);
    (!climbs).then_some(path)
}
