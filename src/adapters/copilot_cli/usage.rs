//! What the counters at the end of a session say, beyond what its messages have said.
//!
//! A shutdown has counters of each model. Some builds begin them again with every leg (from a start or
//! resume to a shutdown), others go on with those of the leg before; the version does not tell. What the
//! leg's own messages say does: their outputs and their number are those of the counters, or what the
//! counters grew by. Counters that go on are one epoch; each new beginning is another.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::adapters::json::Json;
use crate::adapters::money::nano;

/// Counters of one model: input, output, cache reads, cache writes, reasoning, nano-AIU, requests, premium
/// requests in billionths.
type Counters = [i64; 8];

/// What a shutdown says of each model.
type News<'i> = BTreeMap<&'i str, [Option<i64>; 8]>;

const OUTPUT: usize = 1;
const REASONING: usize = 4;
const UNITS: usize = 5;
const REQUESTS: usize = 6;
const PREMIUM: usize = 7;

/// Sums of a session.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Meters {
    models: BTreeMap<String, Meter>,
    /// Output of the messages that the open epoch counts, by their model; of those without one under "".
    said: BTreeMap<String, i64>,
    /// The leg under way.
    leg: Leg,
    /// Legs since the last shutdown that ended without one.
    killed: Leg,
    /// Units and premium requests of all models.
    charge: [Charge; 2],
    /// Shutdowns and checkpoints so far.
    pub(super) ends: i64,
    /// A charge beyond that of the models has been told.
    beyond: bool,
}

/// What the messages of a leg say.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
struct Leg {
    output: BTreeMap<String, i64>,
    calls: i64,
}

/// The counters of one model.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
struct Meter {
    /// What the last shutdown said.
    now: Counters,
    /// Sum of the epochs before.
    done: Counters,
    /// Of the epochs before: output that no message has counted.
    unsaid: i64,
    /// Which of them any shutdown has named.
    named: [bool; 8],
}

/// A counter of the whole session.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
#[serde(default)]
struct Charge {
    now: i64,
    done: i64,
    /// What a checkpoint of the leg under way says.
    open: Option<i64>,
}

impl Charge {
    fn take(&mut self, value: i64, goes_on: bool) {
        if !goes_on {
            self.done = self.done.saturating_add(self.now);
        }
        *self = Self { now: value, open: None, ..*self };
    }

    /// The leg is over; what its last checkpoint says is all that is known.
    fn close(&mut self) {
        if let Some(open) = self.open {
            self.take(open, open >= self.now);
        }
    }

    fn sum(mut self) -> i64 {
        self.close();
        self.done.saturating_add(self.now)
    }
}

/// What is to be counted for a model at a shutdown.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Total {
    /// Empty for what belongs to none.
    pub(super) model: String,
    pub(super) fresh: Option<i64>,
    pub(super) cache_read: Option<i64>,
    pub(super) cache_write: Option<i64>,
    /// Output that no message has counted.
    pub(super) output: Option<i64>,
    /// Reasoning, that of the messages included.
    pub(super) reasoning: Option<i64>,
    pub(super) nano_credits: Option<i64>,
    pub(super) requests: Option<i64>,
}

impl Leg {
    fn output(&self) -> i64 {
        self.output.values().sum()
    }

    fn add(&mut self, other: Self) {
        add(&mut self.output, other.output);
        self.calls += other.calls;
    }
}

fn add(sums: &mut BTreeMap<String, i64>, more: BTreeMap<String, i64>) {
    for (model, output) in more {
        *sums.entry(model).or_default() += output;
    }
}

impl Meters {
    /// The model was called.
    pub(super) fn call(&mut self) {
        self.leg.calls += 1;
    }

    /// A message has counted this output.
    pub(super) fn count(&mut self, model: Option<&str>, output: i64) {
        *self.leg.output.entry(model.unwrap_or_default().to_owned()).or_default() += output;
    }

    /// A leg begins.
    pub(super) fn begin(&mut self) {
        self.killed.add(std::mem::take(&mut self.leg));
        self.charge.iter_mut().for_each(Charge::close);
    }

    /// Takes what a checkpoint says the session has cost so far; false when it says nothing.
    pub(super) fn checkpoint(&mut self, data: Json<'_, '_>) -> bool {
        let charged = charged(data);
        for (charge, value) in self.charge.iter_mut().zip(charged) {
            charge.open = value.or(charge.open);
        }
        let says = charged.iter().any(Option::is_some);
        self.ends += i64::from(says);
        says
    }

    /// Takes the counters of a shutdown. `old` versions began them again with each leg.
    pub(super) fn shutdown(&mut self, data: Json<'_, '_>, old: bool) {
        self.ends += 1;
        let metrics = data.get("modelMetrics").into_iter().flat_map(Json::entries);
        let news: News<'_> = metrics.filter_map(|(model, metric)| Some((model, counters(metric)?))).collect();
        let goes_on = self.goes_on(&news, old);
        for (charge, value) in self.charge.iter_mut().zip(charged(data)) {
            match value {
                Some(value) => charge.take(value, goes_on && value >= charge.now),
                None => charge.close(),
            }
        }
        if news.is_empty() {
            return;
        }
        let before = if goes_on { self.now(&news, OUTPUT) } else { 0 };
        if !goes_on {
            self.end_epoch();
        }
        for (model, counters) in &news {
            let meter = self.models.entry((*model).to_owned()).or_default();
            meter.now = counters.map(Option::unwrap_or_default);
            for (named, counter) in meter.named.iter_mut().zip(counters) {
                *named |= counter.is_some();
            }
        }
        let (leg, killed) = (std::mem::take(&mut self.leg), std::mem::take(&mut self.killed));
        if self.now(&news, OUTPUT) >= before + leg.output() + killed.output() {
            add(&mut self.said, killed.output);
        }
        add(&mut self.said, leg.output);
    }

    /// Sum of a counter over these models, as the shutdown before said it.
    fn now(&self, news: &News<'_>, counter: usize) -> i64 {
        let known = news.keys().filter_map(|model| self.models.get(*model));
        known.fold(0, |sum, meter| sum.saturating_add(meter.now[counter]))
    }

    /// Whether the counters go on with those of the shutdown before.
    fn goes_on(&self, news: &News<'_>, old: bool) -> bool {
        let sum = |counter: usize| {
            let named: Vec<i64> = news.values().filter_map(|counters| counters[counter]).collect();
            (!named.is_empty()).then(|| named.iter().fold(0, |sum: i64, n| sum.saturating_add(*n)))
        };
        let (said, killed) = (self.leg.output(), self.killed.output());
        let (output, before) = (sum(OUTPUT).unwrap_or_default(), self.now(news, OUTPUT));
        let own = said > 0 && output == said;
        let all = said > 0 && [before + said, before + said + killed].contains(&output);
        if own != all {
            return all;
        }
        let shrunk = |(model, counters): (&&str, &[Option<i64>; 8])| {
            let meter = self.models.get(*model);
            meter.is_some_and(|meter| (0..=REASONING).any(|i| counters[i].is_some_and(|n| n < meter.now[i])))
        };
        if news.iter().any(shrunk) || output < before + said {
            return false;
        }
        let calls = self.leg.calls;
        if let Some(requests) = sum(REQUESTS).filter(|_| calls > 0) {
            let before = self.now(news, REQUESTS);
            let (own, all) = (requests == calls, requests == before + calls);
            if own != all {
                return all;
            }
            if requests < before + calls {
                return false;
            }
        }
        // Counters that go on name all models.
        let is_gone =
            |(model, meter): (&String, &Meter)| !news.contains_key(&**model) && meter.now.iter().any(|n| *n > 0);
        if self.models.iter().any(is_gone) {
            return false;
        }
        let same = |(model, counters): (&&str, &[Option<i64>; 8])| {
            self.models
                .get(*model)
                .is_some_and(|meter| (0..=REASONING).all(|i| counters[i].unwrap_or(0) == meter.now[i]))
        };
        !old || news.iter().all(same)
    }

    /// The counters begin again.
    fn end_epoch(&mut self) {
        let unsaid = self.unsaid();
        for (model, meter) in &mut self.models {
            meter.unsaid += unsaid.get(model).copied().unwrap_or_default();
            for (done, now) in meter.done.iter_mut().zip(std::mem::take(&mut meter.now)) {
                *done = done.saturating_add(now);
            }
        }
        self.said.clear();
    }

    /// Output of the open epoch that no message has counted, by model.
    fn unsaid(&self) -> BTreeMap<String, i64> {
        // Output of messages whose model has no counter under that name.
        let counter = |model: &String| self.models.get(model).map_or(0, |meter| meter.now[OUTPUT]);
        let mut loose: i64 = self.said.iter().map(|(model, output)| output - counter(model).min(*output)).sum();
        let mut of = |(model, meter): (&String, &Meter)| {
            let open = (meter.now[OUTPUT] - self.said.get(model).copied().unwrap_or(0)).max(0);
            let taken = open.min(loose);
            loose -= taken;
            (model.clone(), open - taken)
        };
        self.models.iter().map(&mut of).collect()
    }

    /// What is to be counted for each model, and under no name what the session was charged beyond that.
    pub(super) fn totals(&mut self) -> Vec<Total> {
        let sum = |meter: &Meter, i: usize| meter.named[i].then(|| meter.done[i].saturating_add(meter.now[i]));
        let of_models = |i: usize| self.models.values().filter_map(|meter| sum(meter, i)).fold(0, i64::saturating_add);
        let [units, premium] = self.charge.map(Charge::sum);
        // Versions that name units count premium requests beside them.
        let unit = if units > 0 || of_models(UNITS) > 0 { UNITS } else { PREMIUM };
        let whole = if unit == UNITS { units } else { premium };
        // A sum that is smaller than its parts belongs to no model alone.
        let parts = if unit == PREMIUM && of_models(unit) > whole && whole > 0 { 0 } else { of_models(unit) };
        let unsaid = self.unsaid();
        let total = |(model, meter): (&String, &Meter)| {
            let (read, write) = (sum(meter, 2), sum(meter, 3));
            let cached = read.unwrap_or(0).saturating_add(write.unwrap_or(0));
            Total {
                model: model.clone(),
                fresh: sum(meter, 0).map(|input| (input - cached).max(0)),
                cache_read: read,
                cache_write: write,
                output: meter.named[OUTPUT].then(|| meter.unsaid + unsaid.get(model).copied().unwrap_or_default()),
                reasoning: sum(meter, REASONING),
                nano_credits: sum(meter, unit).filter(|_| parts > 0),
                requests: sum(meter, REQUESTS),
            }
        };
        let mut totals: Vec<Total> = self.models.iter().map(total).collect();
        let beyond = Some(whole - parts).filter(|rest| *rest > 0);
        if beyond.is_some() || self.beyond {
            self.beyond = true;
            totals.push(Total { nano_credits: beyond, ..Total::default() });
        }
        totals
    }
}

/// `{requests: {count, cost}, usage: {inputTokens, …}, totalNanoAiu}`; nothing without any of them.
fn counters(metric: Json<'_, '_>) -> Option<[Option<i64>; 8]> {
    let usage = metric.get("usage").filter(|usage| usage.is_object());
    let keys = ["inputTokens", "outputTokens", "cacheReadTokens", "cacheWriteTokens", "reasoningTokens"];
    let [input, output, read, write, reasoning] = keys.map(|key| usage?.i64_at(key));
    let requests = metric.path(&["requests", "count"]).or_else(|| metric.get("requests")).and_then(Json::as_i64);
    let premium = metric.path(&["requests", "cost"]).and_then(Json::as_f64).and_then(nano);
    let counters = [input, output, read, write, reasoning, metric.i64_at("totalNanoAiu"), requests, premium];
    counters.iter().any(Option::is_some).then(|| counters.map(|counter| counter.map(|n| n.max(0))))
}

/// Units and premium requests of the whole session.
fn charged(data: Json<'_, '_>) -> [Option<i64>; 2] {
    let premium = data.get("totalPremiumRequests").and_then(Json::as_f64).and_then(nano);
    [data.i64_at("totalNanoAiu").map(|units| units.max(0)), premium]
}
