//! A disk that is nearly full: a small file system over one folder, in a mount namespace of its own, which root alone can make.

use std::fs::{self, File};
use std::io::{ErrorKind, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// What holds the namespace; it goes with this value, and all that is on the disk with it.
#[derive(Debug)]
pub struct SmallDisk {
    holder: Child,
    folder: PathBuf,
}

/// Takes the room.
const FILLER: &str = "filler";

impl SmallDisk {
    /// A disk of so many KiB over a folder, empty.
    pub fn over(folder: &Path, kilobytes: u32) -> Self {
        let script = "mount --make-rprivate / && mount -t tmpfs -o size=\"$2\"k,mode=755 none \"$1\" && echo && exec cat";
        let mut holder = Command::new("unshare")
            .args(["-m", "sh", "-c", script, "sh"])
            .arg(folder)
            .arg(kilobytes.to_string())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("unshare");
        let mut mounted = [0];
        let output = holder.stdout.as_mut().expect("its output");
        output.read_exact(&mut mounted).expect("a mounted disk");
        Self {
            holder,
            folder: folder.to_owned(),
        }
    }

    /// A file of the disk, as it is reached from outside.
    pub fn path(&self, name: &str) -> PathBuf {
        let root = PathBuf::from(format!("/proc/{}/root", self.holder.id()));
        let inner = self.folder.strip_prefix("/").expect("an absolute path");
        root.join(inner).join(name)
    }

    /// A program that runs `program` where the disk is; it lies beside the folder.
    pub fn program(&self, program: &str) -> String {
        let path = self.folder.with_extension("small-disk");
        let text = format!(
            "#!/bin/sh\nexec /usr/bin/nsenter -t {} -m {program} \"$@\"\n",
            self.holder.id()
        );
        crate::write_program(&path, text);
        path.to_str().expect("a plain path").to_owned()
    }

    /// Takes all the room but so many bytes.
    pub fn leave(&self, bytes: u64) {
        let mut filler = File::create(self.path(FILLER)).expect("the filler");
        let mut length = 0;
        let piece = [b'x'; 4096];
        loop {
            match filler.write(&piece) {
                Ok(count) => length += count as u64,
                Err(error) if error.kind() == ErrorKind::StorageFull => break,
                Err(error) => panic!("the filler: {error}"),
            }
        }
        let left = length
            .checked_sub(bytes)
            .expect("more room than the disk has");
        filler.set_len(left).expect("a shorter filler");
    }

    /// Gives the room back.
    pub fn free(&self) {
        fs::remove_file(self.path(FILLER)).expect("the filler");
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = self.holder.kill();
        let _ = self.holder.wait();
    }
}
