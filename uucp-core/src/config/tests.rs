//! Configurations, from a directory of files.

mod sites;
mod systems;
mod values;

use proptest::prelude::*;

use super::*;

/// A configuration directory.
struct Site(tempfile::TempDir);

impl Site {
    fn new(files: &[(&str, &str)]) -> Self {
        let site = Self(tempfile::tempdir().unwrap());
        for (name, text) in files {
            std::fs::write(site.path(name), text).unwrap();
        }
        site
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn try_load(&self) -> Result<Config, ConfigError> {
        Config::load(Some(&self.path("config")))
    }

    fn load(&self) -> Config {
        self.try_load().unwrap()
    }

    /// An error with the directory taken out of it.
    fn told(&self, error: &ConfigError) -> String {
        let directory = format!("{}/", self.0.path().display());
        error.to_one_line().replace(&directory, "")
    }
}

fn name(text: &str) -> SystemName {
    text.parse().unwrap()
}

fn system(config: &Config, wanted: &str) -> System {
    config.system(&name(wanted)).unwrap().unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_bytes_are_a_configuration_or_an_error(bytes: Vec<u8>) {
        let site = Site::new(&[("config", "nodename me\nsysfile all\nportfile all\ndialfile all\ncallfile all\npasswdfile all\n")]);
        std::fs::write(site.path("all"), &bytes).unwrap();
        let config = site.load();
        let _ = config.system(&name("x"));
        let _ = config.ports();
        let _ = config.dialer("x");
        let _ = config.call_credentials(&name("x"));
        let _ = config.systems_of_login(b"x");
        prop_assert!(!config.check_login(b"x", &bytes).unwrap_or(false));
        std::fs::write(site.path("config"), &bytes).unwrap();
        let _ = site.try_load();
    }
}

#[test]
fn the_man_page_names_every_command() {
    let page = include_str!("../../man/bangpath-config.5.md");
    let files = [
        &main_file::KEYWORDS[..],
        &apply::KEYWORDS,
        &port::KEYWORDS,
        &dial::KEYWORDS,
    ];
    for keyword in files.concat() {
        // A page that names `chat...` with a prefix means its five commands.
        let stem = keyword
            .find("chat-")
            .map_or(keyword, |at| &keyword[..at + 4]);
        assert!(page.contains(&format!("`{stem}`")), "{keyword}");
    }
}
