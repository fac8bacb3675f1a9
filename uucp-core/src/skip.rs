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
