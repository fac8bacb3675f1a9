//! What the senders, `postfix-uucp` and `exim-bsmtp`, have in common: the answer in time, the system that the MTA names, and
//! reports about recipients that cannot be queued.
//!
//! Station: sender. Nothing here writes the spool.

pub mod answer;
mod refusal;
mod system;
pub mod value;

pub use refusal::{Refusal, displayable, report};
pub use system::{look_up, of_config, user_name};
