//! Which counts and records tell of the same response?
//!
//! Both say what the response took; the one that comes second is no call. A count that spans several
//! responses is the sum of their records. Counts are remembered within their turn only.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use super::state::Recent;
use super::usage::Tokens;

/// Calls that are remembered on either side.
const REMEMBERED: usize = 64;

/// Calls that have been told on one side only, oldest first.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Doubles {
    recorded: VecDeque<Tokens>,
    counted: VecDeque<Tokens>,
    responses: Recent,
}

impl Doubles {
    /// Takes a count of a call; true when a record has told of it. A copied one is not remembered.
    pub(super) fn count(&mut self, call: Tokens, last: Option<Tokens>, is_copied: bool) -> bool {
        let one = |told: &Tokens| *told == call || Some(*told) == last;
        let found = self.recorded.iter().position(one).map(|at| at + 1).or_else(|| self.sum_of(call));
        match found {
            // What was recorded before it and never counted is a compaction's.
            Some(end) => drop(self.recorded.drain(..end)),
            None if is_copied => {}
            None => keep(&mut self.counted, call),
        }
        found.is_some()
    }

    /// Takes the record of a response; true when it, or a count of it, has been told.
    pub(super) fn record(&mut self, response: &str, usage: Tokens) -> bool {
        if !response.is_empty() && !self.responses.add(response) {
            return true;
        }
        if let Some(at) = self.counted.iter().position(|told| *told == usage) {
            self.counted.drain(..=at);
            return true;
        }
        keep(&mut self.recorded, usage);
        false
    }

    /// Another turn: its records tell of no earlier count.
    pub(super) fn begin_turn(&mut self) {
        self.counted.clear();
    }

    /// Where a run of records ends that adds up to `call`.
    fn sum_of(&self, call: Tokens) -> Option<usize> {
        (0..self.recorded.len()).find_map(|start| {
            let mut sum = Tokens::default();
            let run = self.recorded.iter().enumerate().skip(start);
            run.map(|(at, told)| (at, sum.add(*told))).find(|(_, sum)| *sum == call).map(|(at, _)| at + 1)
        })
    }
}

fn keep(all: &mut VecDeque<Tokens>, one: Tokens) {
    if all.len() == REMEMBERED {
        all.pop_front();
    }
    all.push_back(one);
}
