//! Model calls out of cumulative counters.
//!
//! - an unchanged total is a repetition, no call
//! - every component at least as large as before: the call is the difference
//! - anything else is a new epoch of the counter: the call is `last`, if that is not zero
//! - the first total of a file may be inherited: the call is `last`
//! - a total equal to its `last` is a counter that has just started, whatever stood before it

use serde::{Deserialize, Serialize};

use crate::adapters::json::Json;
use crate::schema::{TokenUsage, UsageSource};

/// Input (all of it), cached part, cache-write part, output (all of it), reasoning part.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Tokens(pub(super) [i64; 5]);

impl Tokens {
    /// Reads a usage object; `None` when it is no object or has none of the components.
    pub(super) fn read(usage: Option<Json<'_, '_>>) -> Option<Self> {
        let usage = usage.filter(|u| u.is_object())?;
        let mut tokens = [0; 5];
        let mut any = false;
        for (key, value) in usage.entries() {
            let slot = match key {
                "input_tokens" => 0,
                "cached_input_tokens" => 1,
                "cache_write_input_tokens" => 2,
                "output_tokens" => 3,
                "reasoning_output_tokens" => 4,
                _ => continue,
            };
            if let Some(number) = value.as_i64() {
                tokens[slot] = number.max(0);
                any = true;
            }
        }
        any.then_some(Self(tokens))
    }

    pub(super) fn is_zero(self) -> bool {
        self.0 == [0; 5]
    }

    /// Adds `other`; returns the sum.
    pub(super) fn add(&mut self, other: Self) -> Self {
        for (sum, part) in self.0.iter_mut().zip(other.0) {
            *sum = sum.saturating_add(part);
        }
        *self
    }

    fn since(self, before: Self) -> Option<Self> {
        let mut difference = self.0;
        for (now, then) in difference.iter_mut().zip(before.0) {
            *now -= then;
        }
        difference.iter().all(|d| *d >= 0).then_some(Self(difference))
    }

    /// The bytes that ids are made from.
    pub(super) fn key(self) -> [u8; 40] {
        let mut key = [0; 40];
        for (bytes, number) in key.chunks_exact_mut(8).zip(self.0) {
            bytes.copy_from_slice(&number.to_le_bytes());
        }
        key
    }

    /// The usage: the log's input has the caches in it, its output the reasoning.
    pub(super) fn usage(self) -> TokenUsage {
        let [input, cached, written, output, reasoning] = self.0;
        let written = Some(written).filter(|written| *written > 0);
        TokenUsage::inclusive(Some(input), Some(cached), written, Some(output)).thoughts_within(Some(reasoning))
    }
}

/// A counted call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Call {
    pub(super) tokens: Tokens,
    /// `reported` when the log states these numbers, `derived` when they are a difference.
    pub(super) source: UsageSource,
}

/// The cumulative counter of one file.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(super) struct Counter {
    baseline: Option<Tokens>,
    /// Number of restarts so far.
    pub(super) epoch: u32,
}

const fn reported(tokens: Tokens) -> Option<Call> {
    Some(Call { tokens, source: UsageSource::Reported })
}

const fn derived(tokens: Tokens) -> Option<Call> {
    Some(Call { tokens, source: UsageSource::Derived })
}

impl Counter {
    /// True once a total has been seen.
    pub(super) const fn has_baseline(&self) -> bool {
        self.baseline.is_some()
    }

    /// Takes the next pair of totals and tells the call it stands for.
    pub(super) fn step(&mut self, total: Option<Tokens>, last: Option<Tokens>) -> Option<Call> {
        let last = last.filter(|l| !l.is_zero());
        let Some(total) = total else { return last.and_then(reported) };
        let Some(before) = self.baseline.replace(total) else {
            // `last` that is missing altogether (old builds) leaves only the total; a `last` of zero
            // is an estimate after an edit of the history and was filtered away above.
            return last.and_then(reported);
        };
        if total == before {
            return None;
        }
        match total.since(before) {
            Some(difference) if last == Some(difference) => reported(difference),
            Some(_) if last == Some(total) => {
                self.epoch += 1;
                reported(total)
            }
            Some(difference) => derived(difference),
            None => {
                self.epoch += 1;
                last.and_then(reported)
            }
        }
    }

    /// The same for a log that has totals only.
    pub(super) fn step_total(&mut self, total: Tokens) -> Option<Call> {
        match self.baseline.replace(total) {
            Some(before) if before == total => None,
            Some(before) => total.since(before).map_or_else(
                || {
                    self.epoch += 1;
                    if total.is_zero() { None } else { reported(total) }
                },
                derived,
            ),
            None if total.is_zero() => None,
            None => reported(total),
        }
    }
}
