//! How much of everything: in a plain test run enough to see that it works, by the environment as much as one has time for.

/// How many letters a correspondence exchanges, each way: `BANGPATH_LETTERS`, else so many.
pub fn letters(unless_said: usize) -> usize {
    from_environment("BANGPATH_LETTERS", unless_said)
}

/// How many leaves call one hub: `BANGPATH_LEAVES`, else so many.
pub fn leaves(unless_said: usize) -> usize {
    from_environment("BANGPATH_LEAVES", unless_said)
}

/// How often something random is repeated: `BANGPATH_ROUNDS`, else so often.
pub fn rounds(unless_said: usize) -> usize {
    from_environment("BANGPATH_ROUNDS", unless_said)
}

fn from_environment(name: &str, unless_said: usize) -> usize {
    let Ok(text) = std::env::var(name) else {
        return unless_said;
    };
    let number = text.parse();
    number.unwrap_or_else(|_| panic!("{name}={text}: not a number"))
}
