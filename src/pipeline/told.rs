//! Which failure has been told already? One that goes on is told once, until it passes or becomes another.

use super::PipelineError;

/// Digits in a row that make a random name.
const RANDOM: usize = 16;

/// The failure that was told last.
#[derive(Debug, Default)]
pub(super) struct Told(Option<String>);

impl Told {
    /// True when this failure is another than the one before: names made up for one attempt do not count.
    pub(super) fn is_news(&mut self, error: &PipelineError) -> bool {
        let text = without_random_names(&error.to_string());
        let is_news = self.0.as_ref() != Some(&text);
        self.0 = Some(text);
        is_news
    }

    /// What comes next is told again.
    pub(super) fn works_again(&mut self) {
        self.0 = None;
    }
}

/// The text without long runs of hex digits.
fn without_random_names(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut run = String::new();
    for c in text.chars().chain([' ']) {
        if c.is_ascii_hexdigit() {
            run.push(c);
            continue;
        }
        if run.len() < RANDOM {
            out.push_str(&run);
        }
        run.clear();
        out.push(c);
    }
    out
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;
    use crate::lake::LakeError;

    #[test]
    fn the_same_failure_under_another_random_name_is_told_once() {
        let full = |name: &str, what: &'static str| {
            let source = io::Error::from(io::ErrorKind::StorageFull);
            PipelineError::Lake(LakeError::DiskFull { action: what, path: name.into(), source })
        };
        let mut told = Told::default();
        assert!(told.is_news(&full("/lake/.0123456789abcdef0123456789abcdef.tmp", "write")));
        assert!(!told.is_news(&full("/lake/.fedcba98765432100123456789abcdef.tmp", "write")));
        assert!(told.is_news(&full("/lake/.0123456789abcdef0123456789abcdef.tmp", "sync")));
        told.works_again();
        assert!(told.is_news(&full("/lake/.0123456789abcdef0123456789abcdef.tmp", "sync")));
    }
}
