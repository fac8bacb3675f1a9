//! `uuto`; see `uucp_core::command::uuto`.

fn main() -> std::process::ExitCode {
    uucp_core::command::uuto::main()
}
