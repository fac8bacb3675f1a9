//! What every section of a file keeps while it is read: which lists it has already begun anew.

use std::collections::HashSet;

/// The lists that a section has begun. A list of the defaults is replaced by the first command of a section and added to by
/// the next.
#[derive(Debug, Default)]
pub(super) struct Fresh(HashSet<String>);

impl Fresh {
    /// Whether this is the section's first command of that list.
    pub(super) fn first(&mut self, list: &str) -> bool {
        self.0.insert(list.to_owned())
    }
}
