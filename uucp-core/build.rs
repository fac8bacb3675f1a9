//! Links the unwinder into the programs, where the compiler has it as a static library.
//!
//! An MTA starts a sender for each message, and loading `libgcc_s.so.1` is a twentieth of what that costs. Where nothing is
//! found, the shared library is used as ever.

#![allow(
    clippy::print_stdout,
    reason = "that is how a build script speaks to Cargo"
)]

use std::env;
use std::path::PathBuf;
use std::process::Command;

const LIBRARY: &str = "libgcc_eh.a";

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-env-changed=CC");
    if let Some(folder) = folder_of_library() {
        println!("cargo::rustc-link-search=native={}", folder.display());
        println!("cargo::rustc-link-lib=static:-bundle=gcc_eh");
    }
}

/// Where the C compiler that links us keeps the library; `None` for other systems and when building for another machine.
fn folder_of_library() -> Option<PathBuf> {
    let is = |name: &str, value: &str| env::var(name).is_ok_and(|found| found == value);
    let fits = is("CARGO_CFG_TARGET_OS", "linux") && is("CARGO_CFG_TARGET_ENV", "gnu");
    if !fits || env::var_os("HOST") != env::var_os("TARGET") {
        return None;
    }
    let compiler = env::var_os("CC").unwrap_or_else(|| "cc".into());
    let output = Command::new(compiler)
        .arg(format!("-print-file-name={LIBRARY}"))
        .output()
        .ok()?;
    // A compiler that does not have it gives the bare name back.
    let path = PathBuf::from(String::from_utf8(output.stdout).ok()?.trim());
    if path.is_absolute() && path.is_file() {
        path.parent().map(PathBuf::from)
    } else {
        None
    }
}
