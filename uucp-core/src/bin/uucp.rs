//! `uucp`; see `uucp_core::command::uucp`.

fn main() -> std::process::ExitCode {
    uucp_core::command::uucp::main()
}
