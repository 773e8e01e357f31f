//! Where the numbers of a row are from: the words of the column `usage_source`.

/// Where the numbers of a row are from: the column `usage_source`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub enum UsageSource {
    /// The log gives the call's own numbers. Taking the cache out of an input, or adding thoughts to an
    /// output, changes nothing about that.
    #[default]
    Reported,
    /// The log is known to under-report the call.
    Partial,
    /// The log has counters that run on over several calls; this is a difference of theirs, or their sum.
    Derived,
    /// Guessed or rounded by the agent.
    Estimated,
}

impl UsageSource {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Derived, Self::Estimated, Self::Partial, Self::Reported];

    /// The word as the column holds it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Reported => "reported",
            Self::Partial => "partial",
            Self::Derived => "derived",
            Self::Estimated => "estimated",
        }
    }

    /// The source that is written so, exactly.
    #[must_use]
    pub fn named(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|source| source.as_str() == text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sources_are_read_back_as_they_are_written() {
        for source in UsageSource::ALL {
            assert_eq!(UsageSource::named(source.as_str()), Some(source));
        }
        assert_eq!(UsageSource::named("guessed"), None);
    }
}
