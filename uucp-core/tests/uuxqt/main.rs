//! `uuxqt` as a program: what it runs, how, how often, and what it leaves behind.

#[cfg(test)]
mod fates;
#[cfg(test)]
mod kept;
#[cfg(test)]
mod killed;
#[cfg(test)]
mod node;
#[cfg(test)]
#[path = "../../src/runnable.rs"]
mod runnable;
#[cfg(test)]
mod safety;
#[cfg(test)]
mod side_by_side;
#[cfg(test)]
mod told;
