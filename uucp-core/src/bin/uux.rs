//! `uux`; see `uucp_core::command::uux`.

fn main() -> std::process::ExitCode {
    uucp_core::command::uux::main()
}
