//! `uupick`; see `uucp_core::command::uupick`.

fn main() -> std::process::ExitCode {
    uucp_core::command::uupick::main()
}
