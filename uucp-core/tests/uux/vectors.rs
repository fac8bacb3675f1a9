//! Jobs are those of the peer.
//!
//! The expected files were written by `uux` of Debian's uucp 1.07-27 for the same command lines. Only the unique parts of
//! names differ (ours are longer), so both sides are compared with these parts numbered in the order of their appearance.

use crate::site::{Site, normalize};

/// Arguments, the work file, and the files beside it: name and content.
type Vector = (
    &'static [&'static str],
    &'static str,
    &'static [(&'static str, &'static str)],
);

const VECTORS: &[Vector] = &[
    (
        &[
            "-r",
            "-n",
            "-z",
            "-abob@hub.lab",
            "-",
            "beta!rmail",
            "(alice@leaf.lab)",
            "(bob@leaf.lab)",
        ],
        "E D.0001 D.alphaN0001 uucp -CNZR D.0001 0666 bob@hub.lab 0 rmail alice@leaf.lab bob@leaf.lab\n",
        &[("D.0001", "hello\n")],
    ),
    (
        &["-rnz", "-gC", "-abob", "-", "beta!rmail (a@x) (b@y)"],
        "E D.0001 D.alphaC0001 uucp -CNZR D.0001 0666 bob 0 rmail a@x b@y\n",
        &[("D.0001", "hello\n")],
    ),
    (
        &["-r", "-", "beta!rmail", "(b!a@x)"],
        "E D.0001 D.alphaN0001 uucp -C D.0001 0666 \"\" 0 rmail b!a@x\n",
        &[("D.0001", "hello\n")],
    ),
    (
        &[
            "--std",
            "--nou",
            "--gr",
            "d",
            "--req",
            "me",
            "--notification=error",
            "b2!rmail",
            "x",
        ],
        "E D.0001 D.alphad0001 uucp -CZR D.0001 0666 me 0 rmail x\n",
        &[("D.0001", "hello\n")],
    ),
    (
        &[
            "-r",
            "-",
            "-gAB",
            "alpha!beta!rmail",
            "-x@dom",
            "\u{17e}ofie@x",
        ],
        "E D.0001 D.alphaA0001 uucp -C D.0001 0666 \"\" 0 rmail -x@dom \u{17e}ofie@x\n",
        &[("D.0001", "hello\n")],
    ),
    (
        &["-r", "-", "-aa b", "beta!rmail", "x"],
        "E D.0001 D.alphaN0001 uucp -CRq D.0001 0666 a\\040b 0 rmail x\n",
        &[("D.0001", "hello\n")],
    ),
    (
        &[
            "-r",
            "-",
            "beta!cat",
            "a]{}#~=^%,:+",
            "$x",
            "`y`",
            "?",
            "a[b",
        ],
        "E D.0001 D.alphaN0001 uucp -Ce D.0001 0666 \"\" 0 cat a]{}#~=^%,:+ $x `y` ? a[b\n",
        &[("D.0001", "hello\n")],
    ),
    (
        &["-r", "beta!rmail", "a@x"],
        "S D.X0001 X.alphaN0001 uucp -C D.X0001 0666 \n",
        &[("D.X0001", "U uucp alpha\nC rmail a@x\n")],
    ),
    (
        &["-r", "-", "-b", "beta!rmail", "a\\b"],
        "S D.0001 D.alphaN0001 uucp -C D.0001 0666 \nS D.X0002 X.alphaN0002 uucp -C D.X0002 0666 \n",
        &[
            ("D.0001", "hello\n"),
            (
                "D.X0002",
                "B\nU uucp alpha\nF D.alphaN0001\nI D.alphaN0001\ne\nC rmail a\\b\n",
            ),
        ],
    ),
    (
        &["-r", "-", "-s", "/tmp/st", "beta!rmail", "x"],
        "S D.0001 D.alphaN0001 uucp -C D.0001 0666 \nS D.X0002 X.alphaN0002 uucp -C D.X0002 0666 \n",
        &[
            ("D.0001", "hello\n"),
            (
                "D.X0002",
                "M /tmp/st\nU uucp alpha\nF D.alphaN0001\nI D.alphaN0001\nC rmail x\n",
            ),
        ],
    ),
    (
        &["-r", "beta!cat", "!f1"],
        "S $CWD/f1 D.alphaN0001 uucp -c D.0001 0666 \nS D.X0002 X.alphaN0002 uucp -C D.X0002 0666 \n",
        &[("D.X0002", "F D.alphaN0001 f1\nU uucp alpha\nC cat f1\n")],
    ),
    (
        &["-r", "-C", "beta!cat", "!f1"],
        "S D.0001 D.alphaN0001 uucp -C D.0001 0666 \nS D.X0002 X.alphaN0002 uucp -C D.X0002 0666 \n",
        &[
            ("D.0001", "one\n"),
            ("D.X0002", "F D.alphaN0001 f1\nU uucp alpha\nC cat f1\n"),
        ],
    ),
    (
        &["-r", "-gA", "-n", "-aX@y", "beta!cat", "!f1", "!f2"],
        "S $CWD/f1 D.alphaA0001 uucp -c D.0001 0666 \nS $CWD/f2 D.alphaA0003 uucp -c D.0003 0666 \nS D.X0002 X.alphaA0002 uucp -C D.X0002 0666 \n",
        &[(
            "D.X0002",
            "F D.alphaA0001 f1\nF D.alphaA0003 f2\nU uucp alpha\nN\nR X@y\nC cat f1 f2\n",
        )],
    ),
    (
        &["-r", "-", "beta!cat", "-", "!f1"],
        "S $CWD/f1 D.alphaN0001 uucp -c D.0001 0666 \nS D.0003 D.alphaN0003 uucp -C D.0003 0666 \nS D.X0002 X.alphaN0002 uucp -C D.X0002 0666 \n",
        &[
            ("D.0003", "hello\n"),
            (
                "D.X0002",
                "F D.alphaN0001 f1\nU uucp alpha\nF D.alphaN0003\nI D.alphaN0003\nC cat - f1\n",
            ),
        ],
    ),
    (
        &[
            "-r",
            "beta!cat",
            "beta!motd",
            "beta!~/motd",
            "beta!/etc/motd",
        ],
        "S D.X0001 X.alphaN0001 uucp -C D.X0001 0666 \n",
        &[(
            "D.X0001",
            "U uucp alpha\nC cat $CWD/motd ~/motd /etc/motd\n",
        )],
    ),
    (
        &["-r", "-W", "beta!cat >beta!out <beta!in"],
        "S D.X0001 X.alphaN0001 uucp -C D.X0001 0666 \n",
        // Taylor's own order of these two lines is that of the command; it has no meaning.
        &[("D.X0001", "I in\nO out\nU uucp alpha\nC cat\n")],
    ),
    (
        &["-r", "beta!cat <!f1"],
        "E $CWD/f1 D.alphaN0001 uucp -c D.0001 0666 \"\" 0 cat\n",
        &[],
    ),
    (
        &["-r", "beta!cat <!f1 >beta!/tmp/out"],
        "S $CWD/f1 D.alphaN0001 uucp -c D.0001 0666 \nS D.X0002 X.alphaN0002 uucp -C D.X0002 0666 \n",
        &[(
            "D.X0002",
            "O /tmp/out\nU uucp alpha\nF D.alphaN0001\nI D.alphaN0001\nC cat\n",
        )],
    ),
    (
        &["-r", "beta!cat >gamma!~/out"],
        "S D.X0001 X.alphaN0001 uucp -C D.X0001 0666 \n",
        &[("D.X0001", "O ~/out gamma\nU uucp alpha\nC cat\n")],
    ),
    (
        &["-r", "beta!cat >!~/out"],
        "S D.X0001 X.alphaN0001 uucp -C D.X0001 0666 \n",
        &[("D.X0001", "O $PUB/out alpha\nU uucp alpha\nC cat\n")],
    ),
    (
        &["-r", "beta!uucp ~user1/file1 (gamma!~user2/file2)"],
        "S D.X0001 X.alphaN0001 uucp -C D.X0001 0666 \n",
        &[(
            "D.X0001",
            "U uucp alpha\nC uucp ~user1/file1 gamma!~user2/file2\n",
        )],
    ),
    (
        &["-zn", "-r", "-gd", "-aM", "-", "beta!gamma!cat"],
        "S D.X0003 X.alphad0003 uucp -C D.X0003 0666 \nS D.0001 D.alphad0003 uucp -C D.0001 0666 \nS D.X0004 X.alphad0004 uucp -C D.X0004 0666 \nS D.X0002 D.alphad0004 uucp -C D.X0002 0666 \n",
        &[
            ("D.0001", "hello\n"),
            (
                "D.X0002",
                "U uucp alpha\nF D.alphad0001\nI D.alphad0001\nN\nZ\nR M\nC cat\n",
            ),
            (
                "D.X0003",
                "U uucp alpha\nF D.alphad0003 D.0001\nC uucp -C -W -d -g d D.0001 gamma!D.alphad0001\n",
            ),
            (
                "D.X0004",
                "U uucp alpha\nF D.alphad0004 D.X0002\nC uucp -C -W -d -g d D.X0002 gamma!X.alphad0002\n",
            ),
        ],
    ),
    (
        &["-r", "beta!gamma!cat", "!f1"],
        "S D.X0002 X.alphaN0002 uucp -C D.X0002 0666 \nS $CWD/f1 D.alphaN0002 uucp -c D.0001 0666 \nS D.X0004 X.alphaN0004 uucp -C D.X0004 0666 \nS D.X0003 D.alphaN0004 uucp -C D.X0003 0666 \n",
        &[
            (
                "D.X0002",
                "U uucp alpha\nF D.alphaN0002 f1\nC uucp -C -W -d -g N f1 gamma!D.alphaN0001\n",
            ),
            ("D.X0003", "F D.alphaN0001 f1\nU uucp alpha\nC cat f1\n"),
            (
                "D.X0004",
                "U uucp alpha\nF D.alphaN0004 D.X0003\nC uucp -C -W -d -g N D.X0003 gamma!X.alphaN0003\n",
            ),
        ],
    ),
    (&["-r", "beta!"], "", &[]),
];

#[test]
fn jobs_are_those_of_the_peer() {
    for (arguments, work, files) in VECTORS {
        let site = Site::new();
        let output = site.uux(arguments);
        assert!(
            output.status.success(),
            "{arguments:?}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
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
