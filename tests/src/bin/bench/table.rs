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

impl Better {
    fn of(self, values: &[f64]) -> f64 {
        let values = values.iter().copied();
        match self {
            Self::More => values.fold(0.0, f64::max),
            Self::Less => values.fold(f64::INFINITY, f64::min),
        }
    }
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
        middle((0..self.runs).map(|_| settled(&mut measure)).collect())
    }

    /// Measures ours and the other in turn, so that a machine that is busy for a while is so for both, and adds a row.
    pub(crate) fn compare(
        &mut self,
        name: &str,
        unit: &str,
        better: Better,
        ours: impl FnMut() -> f64,
        other: impl FnMut() -> f64,
    ) {
        if self.wants(name) {
            let (ours, other) = self.in_turn(ours, other);
            self.row(name, unit, better, middle(ours), Some(middle(other)));
        }
    }

    /// The same of what hangs on the machine more than on the programs: the best of each counts.
    pub(crate) fn compare_best(
        &mut self,
        name: &str,
        unit: &str,
        better: Better,
        ours: impl FnMut() -> f64,
        other: impl FnMut() -> f64,
    ) {
        if self.wants(name) {
            let (ours, other) = self.in_turn(ours, other);
            self.row(
                name,
                unit,
                better,
                better.of(&ours),
                Some(better.of(&other)),
            );
        }
    }

    /// The highest of several measurements.
    pub(crate) fn highest(&self, mut measure: impl FnMut() -> f64) -> f64 {
        let rates: Vec<_> = (0..self.runs).map(|_| settled(&mut measure)).collect();
        Better::More.of(&rates)
    }

    fn in_turn(
        &self,
        mut ours: impl FnMut() -> f64,
        mut other: impl FnMut() -> f64,
    ) -> (Vec<f64>, Vec<f64>) {
        let both = |_| (settled(&mut ours), settled(&mut other));
        (0..self.runs).map(both).unzip()
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
            (Better::More, Some(other)) => times(ours / other),
            (Better::Less, Some(other)) => times(other / ours),
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

/// Measures with nothing left to be written: whoever does not sync leaves that to the disk, and to whoever comes next.
fn settled(measure: &mut impl FnMut() -> f64) -> f64 {
    nix::unistd::sync();
    measure()
}

fn middle(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

fn times(ratio: f64) -> String {
    if ratio >= 10.0 {
        format!("{ratio:.1}x")
    } else {
        format!("{ratio:.2}x")
    }
}

fn short(value: f64) -> String {
    if value >= 100.0 {
        format!("{value:.0}")
    } else {
        format!("{value:.1}")
    }
}
