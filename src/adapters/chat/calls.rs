//! Tool calls that wait for their results.

use serde::{Deserialize, Serialize};

use super::deed::{Deed, Edit, command_of, path_of};
use crate::adapters::json::Json;

/// Calls that are remembered; older ones have lost their results.
const KEPT: usize = 512;

/// What a result repeats of its call.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub(in crate::adapters) struct Call {
    pub(in crate::adapters) id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::adapters) name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::adapters) path: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::adapters) command: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::adapters) added: Option<i32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::adapters) removed: Option<i32>,
}

impl Call {
    /// A call of `name` with these arguments, and what it does.
    pub(in crate::adapters) fn new(id: &str, name: &str, input: Option<Json<'_, '_>>) -> (Self, Deed) {
        let deed = Deed::of(name, input);
        let command = input.filter(|_| deed == Deed::Command).and_then(command_of);
        let path = input.filter(|_| deed != Deed::Command).and_then(path_of);
        let edit = input.and_then(|input| Edit::of_input(input, deed));
        let call = Self {
            id: id.to_owned(),
            name: Some(name.to_owned()).filter(|n| !n.is_empty()),
            path,
            command,
            added: edit.map(|e| e.added),
            removed: edit.map(|e| e.removed),
        };
        (call, deed)
    }
}

/// Open calls, oldest first.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub(in crate::adapters) struct Calls(Vec<Call>);

impl Calls {
    pub(in crate::adapters) fn open(&mut self, call: Call) {
        if self.0.len() >= KEPT {
            self.0.remove(0);
        }
        self.0.push(call);
    }

    /// The call that a result answers; an empty one when it is not known.
    pub(in crate::adapters) fn close(&mut self, id: &str) -> Call {
        match self.0.iter().rposition(|call| call.id == id) {
            Some(at) => self.0.remove(at),
            None => Call { id: id.to_owned(), ..Call::default() },
        }
    }
}
