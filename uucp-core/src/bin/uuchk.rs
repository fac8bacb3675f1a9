//! `uuchk`; see `uucp_core::command::uuchk`.

fn main() -> std::process::ExitCode {
    uucp_core::command::uuchk::main()
}
