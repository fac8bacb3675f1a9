//! `uuxqt`; see `uucp_core::command::uuxqt`.

fn main() -> std::process::ExitCode {
    uucp_core::command::uuxqt::main()
}
