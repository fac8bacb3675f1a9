//! What the receivers, `rmail` and `rsmtp`, have in common: who runs them, which words of a command line count, this
//! system as it is configured, the trace line, and the message of RFC 976. And what `uuxqt` needs of them: mail that
//! waits is offered again.
//!
//! Station: receiver. The hand-over itself is [`crate::delivery`]'s.

mod aside;
pub mod bang_mail;
pub mod content;
pub mod handing;
pub mod kept;
pub mod mail;
mod marks;
mod options;
mod origin;
pub mod retry;
mod series;
mod site;
mod trace;
pub mod words;

pub use marks::{Mark, Marks};
pub use options::{DeliveryOptions, MessageOptions};
pub use origin::Origin;
pub use series::Series;
pub use site::Site;
pub use trace::{Stamp, Trace, received_line};
