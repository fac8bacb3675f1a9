//! What README says of files, and how to install.

use suite_tests::programs;

use crate::INSTALLED;

/// What `/usr/lib/bangpath` holds once the lines of README's *Install* are done.
fn installed(readme: &str) -> Vec<String> {
    let section = readme.split("## Install").nth(1).unwrap();
    let section = section.split("\n## ").next().unwrap();
    let mut names: Vec<String> = Vec::new();
    for line in section.lines().map(str::trim) {
        if let Some((_, list)) = line.split_once("target/release/{") {
            let list = list.split('}').next().unwrap();
            names.extend(list.split(',').map(str::to_owned));
        } else if let Some(list) = line.strip_prefix("for name in ") {
            let list = list.split(';').next().unwrap();
            names.extend(list.split(' ').map(str::to_owned));
        } else if line.starts_with("install -m 755 conf-snippets/") {
            let files = line
                .split(' ')
                .filter(|word| word.starts_with("conf-snippets/"));
            names.extend(files.map(|file| file.rsplit('/').next().unwrap().to_owned()));
        }
    }
    names
}

#[test]
fn what_the_snippets_run_is_what_the_readme_installs() {
    let root = programs::workspace();
    let names = installed(&std::fs::read_to_string(root.join("README.md")).unwrap());
    for program in ["uucico", "rsmtp", "gbsmtp", "exim-uucp", "opensmtpd-uucp"] {
        assert!(
            names.iter().any(|name| name == program),
            "{program}: {names:?}"
        );
    }
    let mut folders = vec![root.join("conf-snippets")];
    let mut seen = 0;
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let text = std::fs::read_to_string(&path).unwrap();
            let commands = text
                .lines()
                .filter_map(|line| line.strip_prefix("commands "));
            let asked = commands.flat_map(|list| list.split(' '));
            let place = format!("{INSTALLED}/");
            let letters = |c: char| !(c.is_ascii_alphanumeric() || c == '-');
            let run = text
                .split(&place)
                .skip(1)
                .map(|rest| rest.split(letters).next().unwrap());
            for program in run.chain(asked) {
                seen += 1;
                let there = names.iter().any(|name| name == program);
                assert!(there, "{}: nobody installs '{program}'", path.display());
            }
        }
    }
    assert!(seen > 15, "{seen}");
}

#[test]
fn the_readme_names_files_that_exist() {
    let root = programs::workspace();
    let readme = std::fs::read_to_string(root.join("README.md")).unwrap();
    let links = readme
        .split("](")
        .skip(1)
        .filter_map(|rest| rest.split([')', '#']).next());
    let missing: Vec<&str> = links.filter(|link| !root.join(link).exists()).collect();
    assert!(missing.is_empty(), "{missing:?}");
}
