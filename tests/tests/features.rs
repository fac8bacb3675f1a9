//! The table of features: every line stands on tests that exist, and no command of a configuration file is missing.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a file that is not there stops the test where it is"
)]

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

/// How a line may be judged, in the order of README's columns.
const JUDGED: [&str; 4] = ["works", "differs", "left out", "more than Taylor"];

/// One line of a table.
#[derive(Debug)]
struct Line {
    section: String,
    features: String,
    here: String,
    tests: Vec<String>,
}

/// The words between backquotes.
fn quoted(cell: &str) -> Vec<String> {
    cell.split('`')
        .skip(1)
        .step_by(2)
        .map(str::to_owned)
        .collect()
}

fn read(text: &str) -> Vec<Line> {
    let mut section = String::new();
    let mut lines = Vec::new();
    for line in text.lines() {
        if let Some(title) = line.strip_prefix("## ") {
            title.clone_into(&mut section);
        }
        let Some(row) = line.strip_prefix("| ").and_then(|l| l.strip_suffix(" |")) else {
            continue;
        };
        let cells: Vec<&str> = row.split(" | ").collect();
        let [features, here, tests] = cells[..] else {
            panic!("not three cells: {line}");
        };
        if here == "Here" || here == "---" {
            continue;
        }
        lines.push(Line {
            section: section.clone(),
            features: features.to_owned(),
            here: here.to_owned(),
            tests: quoted(tests),
        });
    }
    lines
}

/// The names of the functions that a source file marks as tests, by an attribute or within `proptest!`.
fn tests_of(source: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let mut marked = false;
    for line in source.lines().map(str::trim) {
        if line == "#[test]" {
            marked = true;
        } else if let Some(rest) = line.strip_prefix("fn ") {
            let name = rest.split('(').next().unwrap_or_default();
            if std::mem::take(&mut marked) {
                found.insert(name.to_owned());
            }
        }
    }
    found
}

fn collect(folder: &Path, found: &mut BTreeSet<String>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if path.is_dir() && name != "target" && !name.starts_with('.') {
            collect(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.extend(tests_of(&fs::read_to_string(&path).unwrap()));
        }
    }
}

#[test]
fn every_line_names_tests_that_exist_and_every_command_has_a_line() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let lines = read(&fs::read_to_string(root.join("uucp-core/FEATURES.md")).unwrap());
    let mut tests = BTreeSet::new();
    collect(root, &mut tests);
    let mut faults = Vec::new();
    for line in &lines {
        if !JUDGED.iter().any(|word| line.here.starts_with(word)) {
            faults.push(format!("{}: neither works nor not", line.features));
        }
        if line.tests.is_empty() {
            faults.push(format!("{}: no test", line.features));
        }
        let missing = line.tests.iter().filter(|test| !tests.contains(*test));
        faults.extend(missing.map(|test| format!("{}: no such test: {test}", line.features)));
    }
    for (file, commands) in uucp_core::config::commands() {
        let of_file = |line: &&Line| line.section.starts_with(file);
        let told: BTreeSet<String> = lines
            .iter()
            .filter(of_file)
            .flat_map(|line| quoted(&line.features))
            .collect();
        let missing = commands.iter().filter(|command| !told.contains(**command));
        faults.extend(missing.map(|command| format!("{file}: `{command}` has no line")));
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

/// How many lines of a section are judged by each word.
fn counts(lines: &[Line], section: &str) -> [usize; 4] {
    JUDGED.map(|word| {
        let of = |line: &&Line| line.section == section && line.here.starts_with(word);
        lines.iter().filter(of).count()
    })
}

/// The name that a web page gives to a heading.
fn anchor(section: &str) -> String {
    let words = section.to_lowercase().replace(':', "");
    words.replace(' ', "-")
}

#[test]
fn the_readme_counts_what_the_tables_say() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let lines = read(&fs::read_to_string(root.join("uucp-core/FEATURES.md")).unwrap());
    let readme = fs::read_to_string(root.join("README.md")).unwrap();
    let mut tests = BTreeSet::new();
    collect(root, &mut tests);
    let sections: BTreeSet<&str> = lines.iter().map(|line| line.section.as_str()).collect();
    for section in sections {
        let link = format!("[{section}](uucp-core/FEATURES.md#{})", anchor(section));
        let [works, differs, out, more] = counts(&lines, section);
        let head = format!("| {link} | {works} | {differs} | {out} | {more} |");
        let row = readme.lines().find(|line| line.starts_with(&head));
        let row = row.unwrap_or_else(|| panic!("README has no line that begins with {head}"));
        // What is no test's name is a word of a command line.
        let names = quoted(row.strip_prefix(&head).unwrap_or_default());
        let told = names.iter().filter(|name| tests.contains(*name)).count();
        assert!(told >= differs + out + usize::from(more > 0), "{row}");
        let missing = |name: &&String| name.contains('_') && !tests.contains(*name);
        assert_eq!(names.iter().find(missing), None, "{row}");
    }
}

#[test]
fn lines_and_tests_are_found_as_they_are_written() {
    let lines =
        read("## port\n| A | Here | Tests |\n| --- | --- | --- |\n| `a` b | works | `t` `u` |\n");
    assert_eq!(lines.len(), 1);
    assert_eq!(
        (lines[0].section.as_str(), lines[0].tests.len()),
        ("port", 2)
    );
    let source = "#[test]\nfn one() {\n}\nfn two() {}\n    #[test]\n    #[should_panic]\n    fn three(x: u8) {\n";
    let found: Vec<String> = tests_of(source).into_iter().collect();
    assert_eq!(found, ["one", "three"]);
}
