//! Token counts of one API response, and how far they can be trusted.

use serde::{Deserialize, Serialize};

use crate::adapters::json::Json;

/// Usage as the row has it: four disjoint input parts and the output.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Usage {
    pub(super) input: Option<i64>,
    pub(super) read: Option<i64>,
    pub(super) write_5m: Option<i64>,
    pub(super) write_1h: Option<i64>,
    pub(super) output: Option<i64>,
    pub(super) reasoning: Option<i64>,
    /// The log says which cache was written to; without it all writes are five-minute writes.
    split: bool,
}

/// One of several model runs inside a response; the top-level usage is the last one's.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Iteration {
    pub(super) model: String,
    pub(super) kind: String,
    pub(super) usage: Usage,
}

fn count(value: Json<'_, '_>) -> Option<i64> {
    value.as_i64().filter(|n| *n >= 0)
}

impl Usage {
    /// Reads a `usage` object, or an element of `usage.iterations`.
    pub(super) fn read(json: Json<'_, '_>) -> Self {
        let (mut usage, mut writes, mut five, mut hour) = (Self::default(), None, None, None);
        for (key, value) in json.entries() {
            match key {
                "input_tokens" => usage.input = count(value),
                "cache_read_input_tokens" => usage.read = count(value),
                "cache_creation_input_tokens" => writes = count(value),
                "output_tokens" => usage.output = count(value),
                "output_tokens_details" => usage.reasoning = value.get("thinking_tokens").and_then(count),
                "cache_creation" => {
                    five = value.get("ephemeral_5m_input_tokens").and_then(count);
                    hour = value.get("ephemeral_1h_input_tokens").and_then(count);
                }
                _ => {}
            }
        }
        usage.split = five.is_some() || hour.is_some();
        usage.write_1h = hour;
        // What the split leaves unexplained is a five-minute write, the default of the API.
        let rest = writes.map(|all| all.saturating_sub(hour.unwrap_or(0)).max(0));
        usage.write_5m = five.max(rest);
        usage
    }

    /// Takes over what `other`, another line of the same response, knows better.
    pub(super) fn merge(&mut self, other: &Self) {
        self.input = self.input.max(other.input);
        self.read = self.read.max(other.read);
        self.output = self.output.max(other.output);
        self.reasoning = self.reasoning.max(other.reasoning);
        if other.split && !self.split {
            (self.write_5m, self.write_1h, self.split) = (other.write_5m, other.write_1h, true);
        } else if other.split == self.split {
            self.write_5m = self.write_5m.max(other.write_5m);
            self.write_1h = self.write_1h.max(other.write_1h);
        }
    }

    /// True when any part is known.
    pub(super) const fn is_known(&self) -> bool {
        self.input.is_some()
            || self.read.is_some()
            || self.write_5m.is_some()
            || self.write_1h.is_some()
            || self.output.is_some()
    }

    /// All tokens.
    pub(super) fn total(&self) -> i64 {
        self.parts().iter().fold(0, |sum, part| sum.saturating_add(*part))
    }

    fn parts(&self) -> [i64; 4] {
        let writes = self.write_5m.unwrap_or(0).saturating_add(self.write_1h.unwrap_or(0));
        [self.input.unwrap_or(0), self.read.unwrap_or(0), writes, self.output.unwrap_or(0)]
    }
}

/// The earlier runs of a response: billed too, and not part of `top`.
///
/// When the runs add up to `top` they are a breakdown of it and there is nothing to add.
pub(super) fn earlier_iterations(iterations: Json<'_, '_>, top: &Usage, out: &mut Vec<Iteration>) {
    if iterations.len() < 2 {
        return;
    }
    let start = out.len();
    let mut sum = [0i64; 4];
    for item in iterations.items() {
        let usage = Usage::read(item);
        for (total, part) in sum.iter_mut().zip(usage.parts()) {
            *total = total.saturating_add(part);
        }
        let text = |key| item.str_at(key).unwrap_or_default().to_owned();
        out.push(Iteration { model: text("model"), kind: text("type"), usage });
    }
    out.pop();
    let earlier_is_zero = out.iter().skip(start).all(|i| i.usage.parts() == [0; 4]);
    if sum == top.parts() && !earlier_is_zero {
        out.truncate(start);
    }
}

/// Output up to this is a placeholder of the stream's first event in versions that log one.
const PLACEHOLDER_OUTPUT: i64 = 10;

/// Whether the log is known to under-report this response.
///
/// Versions 2.1.10 to 2.1.59 wrote the count of the stream's first event to most or half of the
/// responses and no stop reason; since 2.1.60 a response without a stop reason lacks its final line.
pub(super) fn usage_source(version: &str, stopped: bool, output: Option<i64>) -> &'static str {
    let partial = match version_number(version) {
        Some(v) if v >= (2, 1, 60) => !stopped,
        Some(v) if v >= (2, 1, 10) => !stopped && output.unwrap_or(0) <= PLACEHOLDER_OUTPUT,
        _ => false,
    };
    if partial { "partial" } else { "reported" }
}

fn version_number(version: &str) -> Option<(u32, u32, u32)> {
    let mut parts = version.split(['.', '-', '+']).map(|p| p.parse().ok());
    Some((parts.next()??, parts.next()??, parts.next()??))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::adapters::line::Parser;

    fn read(line: &str) -> (Usage, Vec<Iteration>) {
        let mut seen = (Usage::default(), Vec::new());
        Parser::default()
            .each(line.as_bytes(), |json| {
                seen.0 = Usage::read(json);
                if let Some(iterations) = json.get("iterations") {
                    earlier_iterations(iterations, &seen.0, &mut seen.1);
                }
            })
            .unwrap();
        seen
    }

    #[test]
    fn cache_writes_without_a_split_are_five_minute_writes_and_a_split_is_believed() {
        assert_eq!(read(r#"{"cache_creation_input_tokens":7}"#).0.write_5m, Some(7));
        let split = r#"{"cache_creation_input_tokens":9,"cache_creation":{"ephemeral_5m_input_tokens":2,"ephemeral_1h_input_tokens":7}}"#;
        let usage = read(split).0;
        assert_eq!((usage.write_5m, usage.write_1h), (Some(2), Some(7)));
        let mut merged = read(r#"{"cache_creation_input_tokens":9}"#).0;
        merged.merge(&usage);
        assert_eq!((merged.write_5m, merged.write_1h), (Some(2), Some(7)), "a line without the split adds nothing");
        let unexplained = r#"{"cache_creation_input_tokens":9,"cache_creation":{"ephemeral_1h_input_tokens":4}}"#;
        let usage = read(unexplained).0;
        assert_eq!((usage.write_5m, usage.write_1h), (Some(5), Some(4)));
    }

    #[test]
    fn numbers_that_are_null_or_negative_are_unknown() {
        let usage = read(r#"{"input_tokens":null,"output_tokens":-5,"cache_creation":null}"#).0;
        assert!(!usage.is_known());
    }

    #[test]
    fn runs_that_add_up_to_the_total_are_a_breakdown_and_add_nothing() {
        let part = r#"{"input_tokens":10,"output_tokens":5,"iterations":[{"input_tokens":4,"output_tokens":2},{"input_tokens":6,"output_tokens":3}]}"#;
        assert!(read(part).1.is_empty());
        let last = r#"{"input_tokens":6,"output_tokens":3,"iterations":[{"model":"a","input_tokens":4,"output_tokens":2},{"input_tokens":6,"output_tokens":3}]}"#;
        let iterations = read(last).1;
        assert_eq!((iterations.len(), iterations[0].model.as_str()), (1, "a"));
    }

    #[test]
    fn only_versions_known_to_under_report_are_partial() {
        assert_eq!(usage_source("2.1.9", false, Some(3)), "reported");
        assert_eq!(usage_source("2.1.10", false, Some(3)), "partial");
        assert_eq!(usage_source("2.1.59", false, Some(11)), "reported");
        assert_eq!(usage_source("2.1.59", true, Some(3)), "reported");
        assert_eq!(usage_source("2.1.60", false, Some(300)), "partial");
        assert_eq!(usage_source("2.1.236", true, Some(1)), "reported");
        assert_eq!(usage_source("", false, Some(1)), "reported");
    }
}
