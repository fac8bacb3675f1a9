//! Tests that a machine cannot run: said where it is seen, and never passed over in CI.

/// Says in a line which test is skipped and why.
///
/// # Panics
/// In CI (`CI` set), where a skip is a failure.
pub(crate) fn skip(test: &str, why: &str) {
    assert!(
        std::env::var_os("CI").is_none(),
        "{test} may not be skipped in CI: {why}"
    );
    // Written past the capture of the test runner, so that the skip is seen.
    let line = format!("skipped {test}: {why}\n");
    let _ = std::io::Write::write_all(&mut std::io::stderr(), line.as_bytes());
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    /// Set where this program runs this test as another process.
    const WITHIN: &str = "BANGPATH_TEST_SKIPS";

    #[test]
    fn a_skip_is_told_and_fails_in_ci() {
        if std::env::var_os(WITHIN).is_some() {
            return skip("this", "for a reason");
        }
        let here = concat!(module_path!(), "::a_skip_is_told_and_fails_in_ci");
        let (_, name) = here.split_once("::").unwrap();
        let run = |ci: Option<&str>| {
            let mut command = Command::new(std::env::current_exe().unwrap());
            command.args(["--exact", name]);
            command.env_remove("CI").envs(ci.map(|ci| ("CI", ci)));
            command.env(WITHIN, "1").output().unwrap()
        };
        let skipped = run(None);
        let told = String::from_utf8_lossy(&skipped.stderr).into_owned();
        assert!(skipped.status.success(), "{told}");
        assert_eq!(told, "skipped this: for a reason\n");
        assert!(!run(Some("true")).status.success());
    }
}
