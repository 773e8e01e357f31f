//! Texts that tens of thousands of sources share: agents, formats, folders. Each is in memory once.

use std::borrow::Borrow;
use std::collections::HashSet;
use std::fmt;
use std::ops::Deref;
use std::sync::{Arc, Mutex, PoisonError};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A shared text. Two equal ones are one allocation.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Name(Arc<str>);

/// All texts that are in use, and some that were.
#[derive(Default)]
struct Names {
    known: HashSet<Arc<str>>,
    /// As many may be known before those that nobody uses are looked for.
    room: usize,
}

impl Names {
    fn get(&mut self, text: &str) -> Arc<str> {
        if let Some(known) = self.known.get(text) {
            return Arc::clone(known);
        }
        if self.known.len() >= self.room {
            self.known.retain(|name| Arc::strong_count(name) > 1);
            self.room = (self.known.len() * 2).max(1024);
        }
        let name: Arc<str> = text.into();
        self.known.insert(Arc::clone(&name));
        name
    }
}

impl Name {
    /// The text as such.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<&str> for Name {
    fn from(text: &str) -> Self {
        static NAMES: Mutex<Option<Names>> = Mutex::new(None);
        let mut names = NAMES.lock().unwrap_or_else(PoisonError::into_inner);
        Self(names.get_or_insert_default().get(text))
    }
}

impl From<String> for Name {
    fn from(text: String) -> Self {
        text.as_str().into()
    }
}

impl Default for Name {
    fn default() -> Self {
        "".into()
    }
}

impl Deref for Name {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl Borrow<str> for Name {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl AsRef<str> for Name {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

impl PartialEq<str> for Name {
    fn eq(&self, other: &str) -> bool {
        &*self.0 == other
    }
}

impl PartialEq<&str> for Name {
    fn eq(&self, other: &&str) -> bool {
        &*self.0 == *other
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Serialize for Name {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Name {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
        Ok(text.as_ref().into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_names_are_one_text_and_those_that_nobody_uses_are_forgotten() {
        let (one, other) = (Name::from("claude"), Name::from(String::from("claude")));
        assert!(Arc::ptr_eq(&one.0, &other.0) && one == "claude");
        let mut names = Names::default();
        let kept = names.get("kept");
        for n in 0..100_000 {
            names.get(&format!("folder {n}"));
        }
        assert!(names.known.len() <= 1024, "{}", names.known.len());
        assert!(Arc::ptr_eq(&kept, &names.get("kept")));
    }

    #[test]
    fn a_name_is_a_plain_text_in_json() {
        let json = serde_json::to_string(&[Name::from("a\"b")]).unwrap();
        assert_eq!(json, r#"["a\"b"]"#);
        assert_eq!(serde_json::from_str::<Vec<Name>>(&json).unwrap(), ["a\"b"]);
    }
}
