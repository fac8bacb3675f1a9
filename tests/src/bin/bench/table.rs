//! Rows of the table, as they are measured.

use std::sync::Mutex;

use suite_tests::Site;

/// Folders of measurements that are over. They go when all is measured: a file system that tells its disk about freed
/// blocks makes whoever syncs next wait for that.
static KEPT: Mutex<Vec<Site>> = Mutex::new(Vec::new());

/// Keeps a folder until the end.
pub(crate) fn keep(folder: Site) {
    KEPT.lock().expect("the folders").push(folder);
}

/// Removes what was kept.
pub(crate) fn remove_kept() {
    KEPT.lock().expect("the folders").clear();
}

/// Whether more is better, or less.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Better {
    More,
    Less,
}

/// The rows measured so far.
#[derive(Debug)]
pub(crate) struct Table {
    /// Whose the other rates are.
    other: &'static str,
    only: String,
    runs: usize,
    lines: Vec<String>,
}

impl Table {
    pub(crate) fn new(only: &str, runs: usize) -> Self {
        Self::against("Debian's uucp", only, runs)
    }

    /// A table whose rows say themselves what ours is measured against.
    pub(crate) fn against(other: &'static str, only: &str, runs: usize) -> Self {
        Self {
            other,
            only: only.to_owned(),
            runs,
            lines: Vec::new(),
        }
    }

    /// Whether a row of this name was asked for.
    pub(crate) fn wants(&self, name: &str) -> bool {
        name.contains(&self.only)
    }

    /// The median of several measurements.
    pub(crate) fn median(&self, mut measure: impl FnMut() -> f64) -> f64 {
        middle((0..self.runs).map(|_| measure()).collect())
    }

    /// Measures ours and the other in turn, so that a machine that is busy for a while is so for both, and adds a row.
    pub(crate) fn compare(
        &mut self,
        name: &str,
        unit: &str,
        better: Better,
        mut ours: impl FnMut() -> f64,
        mut other: impl FnMut() -> f64,
    ) {
        if self.wants(name) {
            let (ours, other) = (0..self.runs).map(|_| (ours(), other())).unzip();
            self.row(name, unit, better, middle(ours), Some(middle(other)));
        }
    }

    /// Adds a row.
    pub(crate) fn row(
        &mut self,
        name: &str,
        unit: &str,
        better: Better,
        ours: f64,
        other: Option<f64>,
    ) {
        let ratio = match (better, other) {
            (_, None) => String::new(),
            (Better::More, Some(other)) => format!("{:.1}x", ours / other),
            (Better::Less, Some(other)) => format!("{:.1}x", other / ours),
        };
        let other = other.map_or_else(String::new, |other| format!("{} {unit}", short(other)));
        let line = format!("| {name} | {} {unit} | {other} | {ratio} |", short(ours));
        println!("{line}");
        self.lines.push(line);
    }

    /// Prints the whole table.
    pub(crate) fn print(&self) {
        if self.lines.is_empty() {
            return;
        }
        println!(
            "\n| What | Ours | {} | Ratio |\n| --- | ---: | ---: | ---: |",
            self.other
        );
        for line in &self.lines {
            println!("{line}");
        }
    }
}

fn middle(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

fn short(value: f64) -> String {
    if value >= 100.0 {
        format!("{value:.0}")
    } else {
        format!("{value:.1}")
    }
}
