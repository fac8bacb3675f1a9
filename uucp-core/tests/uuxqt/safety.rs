//! Nothing that a job says leads out of what its system may do.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};

use super::node::Node;

const SHOW: &str = r#"{ for a; do printf 'arg <%s>\n' "$a"; done; echo "cwd $PWD"; ls; cat; } > "$HOME/../shown"
env | grep -v '^PWD=\|^_=\|^SHLVL=\|^OLDPWD=' | sort > "$HOME/../environment""#;

fn shown(node: &Node) -> String {
    fs::read_to_string(node.path("shown")).unwrap()
}

#[test]
fn arguments_reach_the_command_without_a_shell() {
    let node = Node::new();
    node.script("tool", SHOW);
    node.job(
        "N0001",
        "tool joe;id $(id) `id` a|b >x * \"q q\" ~/f ~~/g -x",
        "",
    );
    node.run(&[]);
    let shown = shown(&node);
    let arguments: Vec<&str> = shown
        .lines()
        .filter_map(|line| line.strip_prefix("arg "))
        .collect();
    let public = format!("<{}/f>", node.path("pub").display());
    assert_eq!(
        arguments,
        [
            "<joe;id>", "<$(id)>", "<`id`>", "<a|b>", "<>x>", "<*>", "<\"q>", "<q\">", &public,
            "<~/g>", "<-x>",
        ]
    );
    assert!(shown.ends_with("the input\n"), "{shown}");
}

#[test]
fn quoted_values_are_unquoted_once() {
    let node = Node::new();
    node.script("tool", SHOW);
    node.job("N0001", "tool a\\040b c\\\\d", "Q\n");
    node.run(&[]);
    let shown = shown(&node);
    assert!(shown.starts_with("arg <a b>\narg <c\\d>\n"), "{shown}");
}

#[test]
fn the_environment_is_the_peers_and_what_rmail_needs() {
    let node = Node::new();
    node.script("tool", SHOW);
    node.job("N0001", "tool", "");
    let status = node
        .uuxqt(&[])
        .env("TERM", "vt100")
        .env("SECRET", "x")
        .status()
        .unwrap();
    assert!(status.success());
    let text = fs::read_to_string(node.path("environment")).unwrap();
    let (series, others): (Vec<&str>, Vec<&str>) = text.split_inclusive('\n').partition(|line| {
        line.starts_with("BANGPATH_NEXT=") || line.starts_with("BANGPATH_JOB=X.alphaN0001:")
    });
    assert_eq!(series.len(), 2, "{text}");
    let expected = format!(
        "BANGPATH_CONFIG={}\nHOME={}\nPATH={}:/bin:/usr/bin\nSHELL=/bin/sh\nTERM=vt100\nUSER=uucp\n\
         UU_JOB=X.alphaN0001\nUU_MACHINE=alpha\nUU_USER=joe\n",
        node.path("etc/config").display(),
        node.path("spool").display(),
        node.path("bin").display(),
    );
    assert_eq!(others.concat(), expected);
}

#[test]
fn a_job_names_its_system_by_where_it_lies() {
    let node = Node::new();
    node.script("tool", SHOW);
    node.execute_file("alpha", "X.alphaN0001", "U joe evil\nC tool\n");
    node.run(&[]);
    let text = fs::read_to_string(node.path("environment")).unwrap();
    assert!(text.contains("UU_MACHINE=alpha\n"), "{text}");
}

#[test]
fn files_get_their_names_in_a_directory_of_their_own() {
    let node = Node::new();
    node.script("tool", SHOW);
    node.job("N0001", "tool", "F D.alphaN0001 qux\n");
    node.run(&[]);
    let shown = shown(&node);
    assert!(shown.contains("\nqux\nthe input\n"), "{shown}");
    let directory = shown.lines().find_map(|l| l.strip_prefix("cwd ")).unwrap();
    assert!(
        !std::path::Path::new(directory).exists(),
        "{directory} is left"
    );
}

#[test]
fn names_that_lead_elsewhere_are_refused() {
    let node = Node::new();
    node.script("tool", "echo output");
    fs::write(node.path("secret"), "secret").unwrap();
    symlink(node.path("secret"), node.path("pub/link")).unwrap();
    fs::write(node.path("pub/private"), "private").unwrap();
    fs::set_permissions(node.path("pub/private"), fs::Permissions::from_mode(0o600)).unwrap();
    fs::create_dir(node.path("pub/closed")).unwrap();
    let cases = [
        (
            "F D.alphaN0001 ../../evil\n",
            "Not permitted to write to ../../evil",
        ),
        (
            "F D.alphaN0001 /tmp/evil\n",
            "Not permitted to write to /tmp/evil",
        ),
        ("F D.alphaN0001 ..\n", "Not permitted to write to .."),
        ("I /etc/passwd\n", "Not permitted to read /etc/passwd"),
        ("I ~/../secret\n", "Not permitted to read ~/../secret"),
        ("I ~/link\n", "Not permitted to read ~/link"),
        ("I ~/private\n", "Not permitted to read ~/private"),
        ("I ~/none\n", "Not permitted to read ~/none"),
        ("O /etc/evil\n", "Not permitted to write to /etc/evil"),
        ("O ~/../evil\n", "Not permitted to write to ~/../evil"),
        (
            "O ~/closed/evil\n",
            "Not permitted to write to ~/closed/evil",
        ),
        ("O D.alphaN0009\n", "Not permitted to write to D.alphaN0009"),
        (
            "O x ../../evil\n",
            "Not permitted to send output to the unknown system ../../evil",
        ),
        (
            "O x delta\n",
            "Not permitted to send output to the unknown system delta",
        ),
        ("O x gamma\n", "Not permitted to forward to gamma"),
        (
            "O X.alphaN0009 alpha\n",
            "Not permitted to write to X.alphaN0009",
        ),
    ];
    for (number, (line, reason)) in cases.iter().enumerate() {
        let unique = format!("N1{number:03}");
        node.data_file("alpha", &format!("D.alpha{unique}"), "x");
        node.data_file("alpha", "D.alphaN0001", "x");
        let text = format!("U joe alpha\nF D.alpha{unique}\n{line}C tool {number}\n");
        node.execute_file("alpha", &format!("X.alpha{unique}"), text);
        node.run(&[]);
        assert!(
            node.log().contains(&format!("ERROR: {reason}")),
            "{line}: {}",
            node.log()
        );
        assert!(
            node.has(&format!(".Failed/alpha/X./X.alpha{unique}")),
            "{line}"
        );
    }
    assert_eq!(node.runs(), [""; 0]);
    let outside = node.path("");
    for evil in [
        "evil",
        "spool/evil",
        "spool/.Execute/evil",
        "pub/closed/evil",
    ] {
        assert!(!outside.join(evil).exists(), "{evil} was made");
    }
}

#[test]
fn standard_input_may_be_a_public_file() {
    let node = Node::new();
    node.script("tool", SHOW);
    fs::write(node.path("pub/in"), "public\n").unwrap();
    node.execute_file("alpha", "X.alphaN0001", "U joe alpha\nI ~/in\nC tool\n");
    node.run(&[]);
    assert!(shown(&node).ends_with("public\n"), "{}", node.log());
}

#[test]
fn output_goes_where_it_may() {
    let node = Node::new();
    node.script("tool", "cat; echo more");
    node.job("N0001", "tool", "O ~/out\n");
    node.job("N0002", "tool", "O out2 beta\n");
    node.run(&[]);
    for name in ["pub/out", "pub/out2"] {
        let made = fs::read_to_string(node.path(name)).unwrap();
        assert_eq!(made, "the input\nmore\n", "{}", node.log());
    }
    assert_eq!(node.files("alpha"), [""; 0]);
    let left = fs::read_dir(node.path("pub")).unwrap().count();
    assert_eq!(left, 2, "temporary files are left");
}

#[test]
fn output_of_a_failed_command_does_not_appear() {
    let node = Node::new();
    node.script("tool", "echo half; exit 1");
    node.job("N0001", "tool", "O ~/out\n");
    node.run(&[]);
    assert_eq!(fs::read_dir(node.path("pub")).unwrap().count(), 0);
}

#[test]
fn output_for_another_system_is_queued_for_it() {
    let node = Node::with("forward-to gamma", "");
    node.script("tool", "cat");
    node.job("N0001", "tool", "O back gamma\n");
    node.run(&[]);
    let queued = node.files("gamma");
    let data = queued.iter().find(|f| f.starts_with("D./")).unwrap();
    let work = queued.iter().find(|f| f.starts_with("C./C.N")).unwrap();
    let folder = node.path("spool/gamma");
    assert_eq!(
        fs::read_to_string(folder.join(data)).unwrap(),
        "the input\n"
    );
    let name = data.trim_start_matches("D./");
    let line = fs::read_to_string(folder.join(work)).unwrap();
    assert_eq!(line.trim_end(), format!("S {name} back joe -C {name} 0666"));
    assert_eq!(node.files("alpha"), [""; 0]);
}
