//! Why the description of a format cannot be used.

/// Why a description cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum MappingError {
    /// The file's name is no name for an agent.
    #[error(
        "{name:?} cannot be the name of a format: use lower-case letters, digits, - and _, and not the name of a known agent"
    )]
    Name {
        /// The file's name without its ending.
        name: String,
    },
    /// A key or a word that means nothing.
    #[error("unknown {what} `{word}`; {}", suggest(.nearest, .known))]
    Unknown {
        /// What it should be.
        what: &'static str,
        /// The word.
        word: String,
        /// What was perhaps meant.
        nearest: Option<&'static str>,
        /// What would be right.
        known: Vec<&'static str>,
    },
    /// A value of the wrong kind.
    #[error("`{key}` must be {expected}")]
    Wrong {
        /// The key.
        key: String,
        /// What would be right, with an example.
        expected: &'static str,
    },
    /// Something must be there.
    #[error("`{key}` is missing: {example}")]
    Missing {
        /// The key.
        key: &'static str,
        /// How it would look.
        example: &'static str,
    },
}

fn suggest(nearest: &Option<&'static str>, known: &[&'static str]) -> String {
    nearest.map_or_else(|| format!("known are {}", known.join(", ")), |word| format!("did you mean `{word}`?"))
}
