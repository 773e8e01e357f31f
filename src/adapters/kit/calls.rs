//! Tool calls that wait for their results: bounded in the same way for every agent.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

/// Calls of a source that are remembered. A call whose result has not come after so many others is hardly ever
/// answered; a result that comes nevertheless is a row without what its call would have told.
const MOST_CALLS: usize = 512;

/// Open calls by their ids, oldest first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(in crate::adapters) struct OpenCalls<C>(VecDeque<(String, C)>);

impl<C> Default for OpenCalls<C> {
    fn default() -> Self {
        Self(VecDeque::new())
    }
}

impl<C> OpenCalls<C> {
    /// Remembers a call, instead of one with its id; the oldest makes room.
    pub(in crate::adapters) fn open(&mut self, id: &str, call: C) {
        self.close(id);
        if self.0.len() >= MOST_CALLS {
            self.0.pop_front();
        }
        self.0.push_back((id.to_owned(), call));
    }

    /// The call that a result answers, which is not remembered any longer.
    pub(in crate::adapters) fn close(&mut self, id: &str) -> Option<C> {
        let at = self.0.iter().rposition(|(own, _)| own == id)?;
        self.0.remove(at).map(|(_, call)| call)
    }

    /// The call of this id.
    pub(in crate::adapters) fn get(&self, id: &str) -> Option<&C> {
        self.0.iter().rfind(|(own, _)| own == id).map(|(_, call)| call)
    }

    /// The same, to be changed.
    pub(in crate::adapters) fn get_mut(&mut self, id: &str) -> Option<&mut C> {
        self.0.iter_mut().rfind(|(own, _)| own == id).map(|(_, call)| call)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn of_too_many_calls_the_oldest_makes_room() {
        let mut calls = OpenCalls::default();
        for number in 0..MOST_CALLS {
            calls.open(&number.to_string(), number);
        }
        calls.open("0", 7);
        assert_eq!(calls.get("1"), Some(&1), "the same call again takes no room");
        calls.open("new", 8);
        assert_eq!((calls.get("1"), calls.get("2")), (None, Some(&2)));
        assert_eq!((calls.close("0"), calls.close("0")), (Some(7), None));
    }

    proptest! {
        #[test]
        fn few_calls_are_a_map(steps in prop::collection::vec((0u8..40, prop::option::of(0i32..9)), 0..300)) {
            let (mut calls, mut map) = (OpenCalls::default(), HashMap::new());
            for (id, step) in steps {
                let id = id.to_string();
                match step {
                    Some(call) => {
                        calls.open(&id, call);
                        map.insert(id, call);
                    }
                    None => prop_assert_eq!(calls.close(&id), map.remove(&id)),
                }
            }
            let text = serde_json::to_string(&calls).unwrap();
            prop_assert_eq!(&serde_json::from_str::<OpenCalls<i32>>(&text).unwrap(), &calls);
            for (id, call) in &mut map {
                prop_assert_eq!(calls.get(id), Some(&*call));
                prop_assert_eq!(calls.get_mut(id), Some(call));
            }
        }
    }
}
