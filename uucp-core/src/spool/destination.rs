//! Where a file outside the spool goes: resolved without following a link out of what is permitted.
