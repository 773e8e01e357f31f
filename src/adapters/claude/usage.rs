//! Token counts of one API response, and how far they can be trusted.

use crate::schema::UsageSource;
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

/// One of several model runs inside a response that its top-level usage does not contain.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Iteration {
    /// Its place among the runs.
    pub(super) index: usize,
    pub(super) model: String,
    pub(super) kind: String,
    pub(super) usage: Usage,
}

impl Iteration {
    /// True for a run of the model that answers, or that answers in its place; others, as an advisor's, are asked by it.
    fn answers(&self) -> bool {
        matches!(self.kind.as_str(), "" | "message" | "fallback_message")
    }
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

fn sum<'r>(runs: impl Iterator<Item = &'r Iteration>) -> [i64; 4] {
    runs.fold([0; 4], |mut sum, run| {
        for (total, part) in sum.iter_mut().zip(run.usage.parts()) {
            *total = total.saturating_add(part);
        }
        sum
    })
}

/// True when `runs` are a breakdown of `top`. The output of a line that is not the last may lag behind.
fn add_up(runs: &[&Iteration], top: &Usage) -> bool {
    let (sum, top) = (sum(runs.iter().copied()), top.parts());
    let last = runs.last().map_or([0; 4], |run| run.usage.parts());
    sum != last && (sum == top || (sum[..3] == top[..3] && last[..3] != top[..3]))
}

/// The runs of a response that are billed beside `top`.
///
/// The top level is the sum of the answering model's runs where they add up to it, else the last of them:
/// the earlier ones are calls too. Runs of other kinds are in none of it, wherever they stand.
pub(super) fn runs_beside(iterations: Json<'_, '_>, top: &Usage, asked: Option<&str>, out: &mut Vec<Iteration>) {
    let text = |item: Json<'_, '_>, key| item.str_at(key).unwrap_or_default().to_owned();
    let read = |(index, item): (usize, Json<'_, '_>)| Iteration {
        index,
        model: text(item, "model"),
        kind: text(item, "type"),
        usage: Usage::read(item),
    };
    let mut runs: Vec<Iteration> = iterations.items().enumerate().map(read).collect();
    let Some(last) = runs.last().map(|last| (last.kind.clone(), last.usage.parts())) else { return };
    if runs.len() > 1 && add_up(&runs.iter().collect::<Vec<_>>(), top) {
        return;
    }
    let is_known = runs.iter().any(Iteration::answers);
    let answers = |run: &Iteration| if is_known { run.answers() } else { run.kind == last.0 };
    let own: Vec<&Iteration> = runs.iter().filter(|run| answers(run)).collect();
    // A single run of another kind that is not the top level is beside it.
    let is_beside = !is_known && runs.len() == 1 && last.1 != top.parts();
    let within = if is_beside {
        Vec::new()
    } else if own.len() > 1 && add_up(&own, top) {
        own.iter().map(|run| run.index).collect()
    } else {
        own.last().map(|run| run.index).into_iter().collect::<Vec<_>>()
    };
    runs.retain(|run| !within.contains(&run.index) && (answers(run) || run.usage.total() > 0));
    for run in &mut runs {
        if run.model.is_empty() && run.kind.starts_with("advisor") {
            asked.unwrap_or_default().clone_into(&mut run.model);
        }
    }
    out.append(&mut runs);
}

/// Output up to this is a placeholder of the stream's first event in versions that log one.
const PLACEHOLDER_OUTPUT: i64 = 10;

/// Whether the log is known to under-report this response.
///
/// Versions 2.1.10 to 2.1.59 wrote the count of the stream's first event to most or half of the
/// responses and no stop reason; since 2.1.60 a response without a stop reason lacks its final line.
pub(super) fn usage_source(version: &str, stopped: bool, output: Option<i64>) -> UsageSource {
    let partial = match version_number(version) {
        Some(v) if v >= (2, 1, 60) => !stopped,
        Some(v) if v >= (2, 1, 10) => !stopped && output.unwrap_or(0) <= PLACEHOLDER_OUTPUT,
        _ => false,
    };
    if partial { UsageSource::Partial } else { UsageSource::Reported }
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
                    runs_beside(iterations, &seen.0, Some("asked"), &mut seen.1);
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
    fn what_the_answering_model_asked_others_is_beside_the_total_wherever_it_stands() {
        let run = |kind: &str, rest: &str, n: i64| {
            format!(r#"{{"type":"{kind}"{rest},"input_tokens":{n},"output_tokens":{}}}"#, 2 * n)
        };
        let (one, two) = (run("message", "", 1), run("message", "", 2));
        let advisor = run("advisor_message", r#","model":"big""#, 50);
        let beside = |runs: &[&String], input: i64| {
            let line = format!(
                r#"{{"input_tokens":{input},"output_tokens":{},"iterations":[{}]}}"#,
                2 * input,
                runs.iter().map(|run| run.as_str()).collect::<Vec<_>>().join(",")
            );
            let runs = read(&line).1;
            runs.into_iter().map(|run| (run.index, run.model, run.usage.input.unwrap())).collect::<Vec<_>>()
        };
        let asked = |index: usize| (index, "big".to_owned(), 50);
        assert_eq!(beside(&[&one, &advisor, &two], 3), [asked(1)]);
        assert_eq!(beside(&[&advisor, &one, &two], 3), [asked(0)]);
        assert_eq!(beside(&[&one, &two, &advisor], 3), [asked(2)]);
        assert_eq!(beside(&[&one, &advisor], 1), [asked(1)]);
        assert_eq!(beside(&[&advisor, &one], 1), [asked(0)]);
        assert_eq!(beside(&[&advisor], 1), [asked(0)]);
        assert_eq!(beside(&[&one, &advisor, &two, &advisor], 3), [asked(1), asked(3)]);
        // The total is the last run: the earlier one is a call of its own, of the call's model.
        assert_eq!(beside(&[&one, &advisor, &two], 2), [(0, String::new(), 1), asked(1)]);
        // An advisor that is named by the record only.
        assert_eq!(beside(&[&one, &run("advisor_message", "", 50)], 1), [(1, "asked".to_owned(), 50)]);
        assert!(beside(&[&one, &run("advisor_message", "", 0)], 1).is_empty(), "nothing was used");
        assert!(beside(&[&one], 1).is_empty());
        let fallback = run("fallback_message", r#","model":"b""#, 2);
        assert_eq!(beside(&[&run("message", r#","model":"a""#, 1), &fallback], 2), [(0, "a".to_owned(), 1)]);
    }

    #[test]
    fn only_versions_known_to_under_report_are_partial() {
        assert_eq!(usage_source("2.1.9", false, Some(3)), UsageSource::Reported);
        assert_eq!(usage_source("2.1.10", false, Some(3)), UsageSource::Partial);
        assert_eq!(usage_source("2.1.59", false, Some(11)), UsageSource::Reported);
        assert_eq!(usage_source("2.1.59", true, Some(3)), UsageSource::Reported);
        assert_eq!(usage_source("2.1.60", false, Some(300)), UsageSource::Partial);
        assert_eq!(usage_source("2.1.236", true, Some(1)), UsageSource::Reported);
        assert_eq!(usage_source("", false, Some(1)), UsageSource::Reported);
    }
}
