//! Programs that a test writes and then has run.
//!
//! What is open for writing cannot be executed (ETXTBSY), and a program that another test starts just then has a copy of every
//! descriptor of this process until it is executed itself: that ours is closed is not enough. So this process never opens such a
//! file. A child does, which nobody copies, and which is gone before anybody runs what it wrote.

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

/// Writes a program that everybody may run, over an older one of that name.
///
/// # Panics
/// When it cannot be written.
pub(crate) fn write_program(path: &Path, content: impl AsRef<[u8]>) {
    let mut writer = Command::new("/bin/sh")
        .args(["-c", "cat >\"$0\" && chmod 755 \"$0\""])
        .arg(path)
        .stdin(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = writer.stdin.take().unwrap();
    let written = input.write_all(content.as_ref());
    drop(input);
    let ended = writer.wait().unwrap();
    assert!(
        written.is_ok() && ended.success(),
        "{}: {written:?}, {ended}",
        path.display()
    );
}
