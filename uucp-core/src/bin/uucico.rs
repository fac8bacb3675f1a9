//! `uucico`; see `uucp_core::command::uucico`.

fn main() -> std::process::ExitCode {
    uucp_core::command::uucico::main()
}
