use super::*;

/// A user's inbox with files of two systems, and a place to put them.
struct Scene {
    folder: tempfile::TempDir,
}

impl Scene {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let scene = Self { folder };
        for directory in ["in/beta/photos", "in/gamma", "out"] {
            fs::create_dir_all(scene.path(directory)).unwrap();
        }
        for (name, text) in [
            ("in/beta/a", "text of a\n"),
            ("in/beta/b\u{1b}[2J", "b"),
            ("in/beta/photos/p", "p"),
            ("in/beta/.bangpath-0-1", "half"),
            ("in/gamma/g", "g"),
        ] {
            fs::write(scene.path(name), text).unwrap();
        }
        scene
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Goes through one system's files with these answers; what was printed, and whether to go on.
    fn answer(&self, system: &str, answers: &str) -> (String, bool) {
        let answers = answers.replace("OUT", &self.path("out").display().to_string());
        let mut output = Vec::new();
        let mut session = Session {
            input: answers.as_bytes(),
            output: &mut output,
        };
        let directory = self.path("in").join(system);
        let more = session.look_into(&directory, OsStr::new(system)).unwrap();
        (String::from_utf8(output).unwrap(), more)
    }

    fn has(&self, name: &str) -> bool {
        self.path(name).exists()
    }
}

#[test]
fn each_file_is_shown_and_nothing_is_done_without_a_word() {
    let scene = Scene::new();
    let (said, more) = scene.answer("beta", "\n\n\n");
    assert_eq!(
        said,
        "from beta: file a ?\nfrom beta: file b\\x1b[2J ?\nfrom beta: dir photos ?\n"
    );
    assert!(more);
    let (_, more) = scene.answer("beta", "\nq\n");
    assert!(!more);
    // The end of the input is a wish to stop, too.
    let (_, more) = scene.answer("beta", "\n");
    assert!(!more);
    assert!(scene.has("in/beta/a") && scene.has("in/beta/photos/p"));
}

#[test]
fn a_file_is_printed_deleted_or_moved() {
    let scene = Scene::new();
    let (said, _) = scene.answer("beta", "p\nd\nm OUT\nm OUT\n");
    assert!(
        said.contains("from beta: file a ?\ntext of a\nfrom beta: file a ?\n"),
        "{said}"
    );
    assert!(!scene.has("in/beta/a"));
    assert!(scene.has("out/b\u{1b}[2J") && scene.has("out/photos/p"));
    assert!(!scene.has("in/beta/photos"));
    assert!(
        scene.has("in/beta/.bangpath-0-1"),
        "it is still being received"
    );
}

#[test]
fn all_files_of_a_system_are_moved_and_none_over_another() {
    let scene = Scene::new();
    fs::write(scene.path("out/a"), "older").unwrap();
    let (said, more) = scene.answer("beta", "a OUT\n");
    assert!(said.contains("out/a: there is one already"), "{said}");
    assert!(more && scene.has("out/photos/p") && scene.has("in/beta/a"));
    assert_eq!(fs::read(scene.path("out/a")).unwrap(), b"older");
}

#[test]
fn what_is_not_understood_is_answered_with_the_commands() {
    let scene = Scene::new();
    for odd in ["x", "*", "?", "quit", "delete"] {
        let (said, _) = scene.answer("gamma", &format!("{odd}\nq\n"));
        assert!(said.contains("m [dir]: move file"), "{odd}: {said}");
    }
    fs::write(scene.path("out/file"), "").unwrap();
    let (said, _) = scene.answer("gamma", "m OUT/file\nq\n");
    assert!(said.contains("out/file: "), "{said}");
    assert!(scene.has("in/gamma/g"));
}

#[test]
fn a_directory_is_made_and_a_tilde_is_home() {
    let scene = Scene::new();
    let (said, _) = scene.answer("gamma", "m OUT/new/place\n");
    assert_eq!(said, "from gamma: file g ?\n");
    assert!(scene.has("out/new/place/g") && !scene.has("in/gamma/g"));
    let home = std::env::home_dir().unwrap();
    assert_eq!(directory(b"~/post"), home.join("post"));
    assert_eq!(directory(b"~"), home);
    assert_eq!(directory(b"a~"), Path::new("a~"));
    assert_eq!(directory(b""), Path::new("."));
}

#[test]
fn a_copy_to_another_file_system_is_whole() {
    let scene = Scene::new();
    copy_all(&scene.path("in/beta/photos"), &scene.path("out/photos")).unwrap();
    assert_eq!(fs::read(scene.path("out/photos/p")).unwrap(), b"p");
}

/// Whoever may write into the public directory, or send a file there, may put other things there than `uuto` does.
#[test]
fn what_is_no_directory_of_a_system_keeps_nothing_from_its_user() {
    let scene = Scene::new();
    fs::write(scene.path("in/odd\u{1b}[2J"), "sent as ~/receive/joe/odd").unwrap();
    symlink(scene.path("in/gamma"), scene.path("in/link")).unwrap();
    for odd in ["odd\u{1b}[2J", "link", "gone"] {
        let (said, more) = scene.answer(odd, "d\n");
        assert!(more && !said.contains('\u{1b}'), "{said}");
        assert_eq!(said.lines().count(), 1, "{said}");
    }
    assert!(scene.has("in/gamma/g"));
}

#[test]
fn nothing_but_a_file_is_printed_or_copied() {
    use nix::sys::stat::Mode;
    let scene = Scene::new();
    fs::write(scene.path("secret"), "secret").unwrap();
    let pipe = scene.path("in/gamma/\u{1b}pipe");
    nix::unistd::mkfifo(&pipe, Mode::S_IRWXU).unwrap();
    symlink(scene.path("secret"), scene.path("in/gamma/secret")).unwrap();
    let (said, _) = scene.answer("gamma", "p\n\n\np\nq\n");
    assert!(said.contains(r"\x1bpipe: not a file"), "{said}");
    assert!(said.contains("gamma/secret: "), "{said}");
    assert!(
        !said.contains('\u{1b}') && !said.ends_with("secret"),
        "{said}"
    );
    let (from, to) = (scene.path("in/gamma"), scene.path("out/gamma"));
    // What could be copied of it is not left behind.
    assert!(copy_and_remove(&from, &to).is_err());
    assert!(!scene.has("out/gamma") && scene.has("in/gamma/g"));
    fs::remove_file(pipe).unwrap();
    copy_and_remove(&from, &to).unwrap();
    assert_eq!(
        fs::read_link(scene.path("out/gamma/secret")).unwrap(),
        scene.path("secret")
    );
    assert!(scene.has("out/gamma/g") && !scene.has("in/gamma"));
}
