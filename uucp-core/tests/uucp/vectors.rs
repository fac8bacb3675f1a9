//! Jobs are those of the peer.
//!
//! The expected files were written by `uucp` of Debian's uucp 1.07-27 for the same command lines. Only the unique parts of
//! names differ (ours are longer), so both sides are compared with these parts numbered in the order of their appearance.

use crate::site::{Site, normalize};
use crate::{said, uucp};

/// Arguments, the work file, and the files beside it: name and content.
type Vector = (
    &'static [&'static str],
    &'static str,
    &'static [(&'static str, &'static str)],
);

const VECTORS: &[Vector] = &[
    (
        &["-r", "f1", "beta!~/x"],
        "S $CWD/f1 ~/x uucp -Cd D.0001 0644 \n",
        &[("D.0001", "one\n")],
    ),
    (
        &["-r", "f1", "f2", "beta!~/dir/"],
        "S $CWD/f1 ~/dir/ uucp -Cd D.0001 0644 \nS $CWD/f2 ~/dir/ uucp -Cd D.0002 0644 \n",
        &[("D.0001", "one\n"), ("D.0002", "two\n")],
    ),
    (
        &["-r", "-c", "f1", "beta!x"],
        "S $CWD/f1 $CWD/x uucp -cd D.0001 0644 \n",
        &[],
    ),
    (
        &["-r", "-W", "f1", "beta!x"],
        "S $CWD/f1 x uucp -Cd D.0001 0644 \n",
        &[("D.0001", "one\n")],
    ),
    (
        &["-r", "-C", "-m", "-nann", "f2", "beta!/tmp/x"],
        "S $CWD/f2 /tmp/x uucp -Cdmn D.0001 0644 ann\n",
        &[("D.0001", "two\n")],
    ),
    (
        &["-r", "f1", "--notify", "a b", "b2!y z"],
        "S $CWD/f1 $CWD/y\\040z uucp -Cdnq D.0001 0644 a\\040b\n",
        &[("D.0001", "one\n")],
    ),
    (
        &["-rf", "-s", "/tmp/st", "-gZ", "f1", "alpha!alpha!beta!~/x"],
        "S $CWD/f1 ~/x uucp -Cf D.0001 0644 \n",
        &[("D.0001", "one\n")],
    ),
    (
        &["-r", "-R", "sub", "beta!~/x"],
        "S $CWD/sub/f1 ~/x/sub/f1 uucp -Cd D.0001 0644 \n",
        &[("D.0001", "other\n")],
    ),
    (
        &["-r", "-R", "sub", "f1", "beta!~/d/"],
        "S $CWD/sub/f1 ~/d//sub/f1 uucp -Cd D.0001 0644 \nS $CWD/f1 ~/d/ uucp -Cd D.0002 0644 \n",
        &[("D.0001", "other\n"), ("D.0002", "one\n")],
    ),
    (
        &["-r", "f1", "beta!"],
        "S $CWD/f1 $CWD/ uucp -Cd D.0001 0644 \n",
        &[("D.0001", "one\n")],
    ),
    (&["-r", "beta!~/x", "~/f9"], "R ~/x $PUB/f9 uucp -d\n", &[]),
    (
        &["-r", "-m", "-n", "bob", "beta!~/x", "beta!y", "~/"],
        "R ~/x $PUB/ uucp -dm\nR $CWD/y $PUB/ uucp -dm\n",
        &[],
    ),
    (
        &["-r", "beta!~/x*", "~/"],
        "X ~/x* alpha!$PUB/ uucp -d\n",
        &[],
    ),
    (
        &["-r", "beta!~/x*", "~/new dir/"],
        "X ~/x* alpha!$PUB/new\\040dir/ uucp -dq\n",
        &[],
    ),
    (
        &["-r", "-t", "f1", "beta!ann"],
        "S $CWD/f1 ~/receive/ann/alpha/ uucp -Cdn D.0001 0644 ann\n",
        &[("D.0001", "one\n")],
    ),
    // Left where it is it could be another file when it is sent.
    (
        &["-r", "-c", "-u", "beta!joe", "f1", "beta!~/x"],
        "S $CWD/f1 ~/x beta!joe -Cd D.0001 0644 \n",
        &[("D.0001", "one\n")],
    ),
    (
        &["-r", "-u", "beta!joe", "f1", "beta!~/x"],
        "S $CWD/f1 ~/x beta!joe -Cd D.0001 0644 \n",
        &[("D.0001", "one\n")],
    ),
    (
        &["-r", "beta!~/x", "gamma!~/y"],
        "S D.X0001 X.alphaN0001 uucp -C D.X0001 0666 \n",
        &[(
            "D.X0001",
            "U uucp alpha\nC uucp -C -d -g N ~/x alpha!gamma!~/y\n",
        )],
    ),
    (
        &["-r", "b2!~/y", "b2!~/z"],
        "S D.X0001 X.alphaN0001 uucp -C D.X0001 0666 \n",
        &[(
            "D.X0001",
            "U uucp alpha\nC uucp -C -d -g N ~/y alpha!beta!~/z\n",
        )],
    ),
    (
        &["-r", "beta!gamma!delta!~/x", "~/"],
        "S D.X0001 X.alphaN0001 uucp -C D.X0001 0666 \n",
        &[(
            "D.X0001",
            "U uucp alpha\nC uucp -C -d -g N gamma!delta!~/x alpha!$PUB/\n",
        )],
    ),
    (
        &["-r", "-m", "-n", "ann", "beta!x", "gamma!y"],
        "S D.X0001 X.alphaN0001 uucp -C D.X0001 0666 \n",
        &[(
            "D.X0001",
            "U uucp alpha\nC uucp -C -d -g N -m -n ann $CWD/x alpha!gamma!$CWD/y\n",
        )],
    ),
    (
        &["-r", "-f", "-W", "beta!x", "gamma!y"],
        "S D.X0001 X.alphaN0001 uucp -C D.X0001 0666 \n",
        &[(
            "D.X0001",
            "U uucp alpha\nC uucp -C -f -g N -W x alpha!gamma!y\n",
        )],
    ),
    (
        &["-r", "f1", "beta!gamma!~/x"],
        "S D.X0002 X.alphaN0002 uucp -C D.X0002 0666 \nS $CWD/f1 D.alphaN0002 uucp -C D.0001 0666 \n",
        &[
            ("D.0001", "one\n"),
            (
                "D.X0002",
                "U uucp alpha\nF D.alphaN0002 f1\nC uucp -C -d -g N f1 gamma!~/x\n",
            ),
        ],
    ),
    (
        &["-r", "f1", "beta!gamma!delta!~/x"],
        "S D.X0002 X.alphaN0002 uucp -C D.X0002 0666 \nS $CWD/f1 D.alphaN0002 uucp -C D.0001 0666 \n",
        &[
            ("D.0001", "one\n"),
            (
                "D.X0002",
                "U uucp alpha\nF D.alphaN0002 f1\nC uucp -C -d -g N f1 gamma!delta!~/x\n",
            ),
        ],
    ),
    (
        &["-r", "-W", "f1", "beta!gamma!x"],
        "S D.X0002 X.alphaN0002 uucp -C D.X0002 0666 \nS $CWD/f1 D.alphaN0002 uucp -C D.0001 0666 \n",
        &[
            ("D.0001", "one\n"),
            (
                "D.X0002",
                "U uucp alpha\nF D.alphaN0002 f1\nC uucp -C -d -g N -W f1 gamma!x\n",
            ),
        ],
    ),
    (
        &["-r", "-t", "f1", "beta!gamma!ann"],
        "S D.X0002 X.alphaN0002 uucp -C D.X0002 0666 \nS $CWD/f1 D.alphaN0002 uucp -C D.0001 0666 \n",
        &[
            ("D.0001", "one\n"),
            (
                "D.X0002",
                "U uucp alpha\nF D.alphaN0002 f1\nC uucp -C -d -g N -n ann f1 gamma!~/receive/ann/alpha/\n",
            ),
        ],
    ),
    (
        &["-r", "-c", "f1", "beta!gamma!x"],
        "S D.X0002 X.alphaN0002 uucp -C D.X0002 0666 \nS $CWD/f1 D.alphaN0002 uucp -c D.0001 0666 \n",
        &[(
            "D.X0002",
            "U uucp alpha\nF D.alphaN0002 f1\nC uucp -C -d -g N f1 gamma!$CWD/x\n",
        )],
    ),
    (
        &["-r", "-m", "-nann", "-f", "-gB", "f1", "beta!gamma!x"],
        "S D.X0002 X.alphaB0002 uucp -C D.X0002 0666 \nS $CWD/f1 D.alphaB0002 uucp -C D.0001 0666 \n",
        &[
            ("D.0001", "one\n"),
            (
                "D.X0002",
                "U uucp alpha\nF D.alphaB0002 f1\nC uucp -C -f -g B -m -n ann f1 gamma!$CWD/x\n",
            ),
        ],
    ),
];

#[test]
fn jobs_are_those_of_the_peer() {
    for (arguments, work, files) in VECTORS {
        let site = Site::new();
        let output = uucp(&site, arguments);
        assert!(output.status.success(), "{arguments:?}: {}", said(&output));
        let expected_files = files
            .iter()
            .map(|(name, content)| ((*name).to_owned(), site.fill_in(content)))
            .collect();
        assert_eq!(
            site.job("beta"),
            normalize(&site.fill_in(work), expected_files),
            "{arguments:?}"
        );
    }
}
