//! What the counters at the end of a session say, beyond what its messages have said.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::adapters::json::Json;

/// Counters of one model: input, output, cache reads, cache writes, reasoning, nano-AIU, requests.
type Counters = [i64; 7];

/// Sums of a session.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Meters {
    models: BTreeMap<String, Meter>,
    /// Output that messages have counted, by their model; of messages without one under "".
    counted: BTreeMap<String, i64>,
    /// Shutdowns so far.
    pub(super) shutdowns: i64,
}

/// The counters of one model.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
struct Meter {
    /// What the last shutdown said.
    now: Counters,
    /// Sum of the epochs before.
    done: Counters,
    /// Which of them any shutdown has named.
    named: [bool; 7],
}

/// What is to be counted for a model at a shutdown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Total {
    pub(super) model: String,
    pub(super) fresh: Option<i64>,
    pub(super) cache_read: Option<i64>,
    pub(super) cache_write: Option<i64>,
    /// Output that no message has counted.
    pub(super) output: Option<i64>,
    pub(super) reasoning: Option<i64>,
    pub(super) nano_credits: Option<i64>,
    pub(super) requests: Option<i64>,
}

impl Meters {
    /// A message has counted this output.
    pub(super) fn count(&mut self, model: Option<&str>, output: i64) {
        *self.counted.entry(model.unwrap_or_default().to_owned()).or_default() += output;
    }

    /// Takes the metrics of a shutdown. A counter that is smaller than before, or any counter when the
    /// log starts over with each leg (`per_leg`), begins a new epoch.
    pub(super) fn shutdown(&mut self, metrics: Json<'_, '_>, per_leg: bool) {
        self.shutdowns += 1;
        for (model, metric) in metrics.entries() {
            let Some(counters) = counters(metric) else { continue };
            let meter = self.models.entry(model.to_owned()).or_default();
            let now = counters.map(|c| c.unwrap_or(0).max(0));
            if per_leg || (0..5).any(|i| counters[i].is_some() && now[i] < meter.now[i]) {
                for (done, before) in meter.done.iter_mut().zip(meter.now) {
                    *done = done.saturating_add(before);
                }
            }
            meter.now = now;
            for (named, counter) in meter.named.iter_mut().zip(counters) {
                *named |= counter.is_some();
            }
        }
    }

    /// What is to be counted for each model.
    pub(super) fn totals(&self) -> Vec<Total> {
        let sum = |meter: &Meter, i: usize| {
            let sum = meter.done[i].saturating_add(meter.now[i]);
            meter.named[i].then_some(sum)
        };
        let counted = |model: &str| self.counted.get(model).copied().unwrap_or(0);
        // Output of messages whose model has no counter under that name.
        let mut loose: i64 = self
            .counted
            .iter()
            .map(|(model, output)| output - self.models.get(model).and_then(|m| sum(m, 1)).unwrap_or(0).min(*output))
            .sum();
        let mut total = |(model, meter): (&String, &Meter)| {
            let output = sum(meter, 1).map(|output| {
                let open = (output - counted(model)).max(0);
                let taken = open.min(loose);
                loose -= taken;
                open - taken
            });
            let (read, write) = (sum(meter, 2), sum(meter, 3));
            let cached = read.unwrap_or(0).saturating_add(write.unwrap_or(0));
            Total {
                model: model.clone(),
                fresh: sum(meter, 0).map(|input| (input - cached).max(0)),
                cache_read: read,
                cache_write: write,
                output,
                reasoning: sum(meter, 4),
                nano_credits: sum(meter, 5),
                requests: sum(meter, 6),
            }
        };
        self.models.iter().map(&mut total).collect()
    }
}

/// `{requests: {count}, usage: {inputTokens, …}, totalNanoAiu}`; nothing without usage.
fn counters(metric: Json<'_, '_>) -> Option<[Option<i64>; 7]> {
    let usage = metric.get("usage").filter(|usage| usage.is_object())?;
    let keys = ["inputTokens", "outputTokens", "cacheReadTokens", "cacheWriteTokens", "reasoningTokens"];
    let [input, output, read, write, reasoning] = keys.map(|key| usage.i64_at(key));
    let requests = metric.path(&["requests", "count"]).or_else(|| metric.get("requests")).and_then(Json::as_i64);
    Some([input, output, read, write, reasoning, metric.i64_at("totalNanoAiu"), requests])
}
