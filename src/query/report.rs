//! Named reports: `devlog report daily` and the like.
//!
//! - a report is SQL over the views' own definitions, with the filters inside the first aggregation
//! - what a person typed reaches the SQL as parameters only
//! - every report ends with a total, computed and not added up (a session on two days is one session),
//!   and says its zone and how much of its sums rests on partial records

mod options;
mod render;
mod table;

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::str::FromStr;

use chrono::DateTime;

use super::error::QueryError;
use arrow::array::RecordBatch;

use super::output::OutputError;
use super::views::{BUILT_IN, under};
use crate::text::nearest;
use crate::zone::Zone;
pub use options::ReportOptions;

/// What a report is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReportKind {
    /// Usage per day.
    Daily,
    /// Usage per week, from Monday.
    Weekly,
    /// Usage per month.
    Monthly,
    /// Usage per session, the latest last.
    Sessions,
    /// Usage per model.
    Models,
    /// Calls and failures per tool.
    Tools,
    /// Usage per project.
    Projects,
}

const KINDS: [(&str, ReportKind); 7] = [
    ("daily", ReportKind::Daily),
    ("weekly", ReportKind::Weekly),
    ("monthly", ReportKind::Monthly),
    ("sessions", ReportKind::Sessions),
    ("models", ReportKind::Models),
    ("tools", ReportKind::Tools),
    ("projects", ReportKind::Projects),
];

impl ReportKind {
    /// Names of all reports.
    pub fn names() -> impl Iterator<Item = &'static str> {
        KINDS.iter().map(|(name, _)| *name)
    }

    /// Its name.
    #[must_use]
    pub fn name(self) -> &'static str {
        KINDS.iter().find(|(_, kind)| *kind == self).map_or("report", |(name, _)| *name)
    }

    fn template(self) -> &'static str {
        match self {
            Self::Daily => include_str!("../../queries/report_daily.sql"),
            Self::Weekly => include_str!("../../queries/report_weekly.sql"),
            Self::Monthly => include_str!("../../queries/report_monthly.sql"),
            Self::Sessions => include_str!("../../queries/report_sessions.sql"),
            Self::Models => include_str!("../../queries/report_models.sql"),
            Self::Tools => include_str!("../../queries/report_tools.sql"),
            Self::Projects => include_str!("../../queries/report_projects.sql"),
        }
    }

    /// Views that the template selects from, in the order they need each other.
    const fn views(self) -> &'static [&'static str] {
        match self {
            Self::Sessions => &["activity", "sessions"],
            Self::Tools => &[],
            _ => &["activity"],
        }
    }
}

impl FromStr for ReportKind {
    type Err = ReportError;

    fn from_str(text: &str) -> Result<Self, ReportError> {
        let found = KINDS.iter().find(|(name, _)| name.eq_ignore_ascii_case(text));
        found.map(|(_, kind)| *kind).ok_or_else(|| ReportError::UnknownReport {
            name: text.to_owned(),
            nearest: nearest(text, Self::names()).unwrap_or("daily"),
        })
    }
}

/// Which rows a report counts.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ReportFilter {
    /// From this instant, microseconds since 1970.
    pub since_us: Option<i64>,
    /// Before this instant.
    pub until_us: Option<i64>,
    /// Only this agent.
    pub agent: Option<String>,
    /// Only the project of this name, and those whose name ends with it: `shop` is `acme/shop` too.
    pub project: Option<String>,
}

/// Why there is no report.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReportError {
    /// No such report.
    #[error("no report `{name}`; did you mean `{nearest}`?")]
    UnknownReport {
        /// What was asked for.
        name: String,
        /// What was probably meant.
        nearest: &'static str,
    },
    /// The query failed.
    #[error(transparent)]
    Query(#[from] QueryError),
    /// The report cannot be written.
    #[error(transparent)]
    Output(#[from] OutputError),
}

/// A report: a kind and a filter.
#[derive(Debug, Clone)]
pub struct Report {
    /// What it is about.
    pub kind: ReportKind,
    /// Which rows it counts.
    pub filter: ReportFilter,
}

fn rfc3339(us: i64) -> String {
    DateTime::from_timestamp_micros(us).map_or_else(|| us.to_string(), |t| t.to_rfc3339())
}

impl Report {
    /// The query and its parameters; the last row of its answer, with `is_total`, is the total.
    #[must_use]
    pub fn sql(&self) -> (String, Vec<(String, String)>) {
        let filter = &self.filter;
        let all = [
            ("since", filter.since_us.map(rfc3339)),
            ("until", filter.until_us.map(rfc3339)),
            ("agent", filter.agent.clone()),
            ("project", filter.project.clone()),
        ];
        let given: BTreeSet<&str> = all.iter().filter(|(_, value)| value.is_some()).map(|(name, _)| *name).collect();
        let mut sql = String::new();
        for (i, name) in self.kind.views().iter().enumerate() {
            let body = BUILT_IN.iter().find(|(view, _)| view == name).map_or("", |(_, body)| *body);
            let comma = if i == 0 { "WITH " } else { ", " };
            for piece in [comma, name, " AS (\n", &under(body, &given), ")"] {
                sql.push_str(piece);
            }
        }
        if !sql.is_empty() {
            sql.push('\n');
        }
        sql.push_str(&under(self.kind.template(), &given));
        let params = all.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))).collect();
        (sql, params)
    }

    /// Writes the answer to [`Report::sql`], all of its rows in `answer`, to `out`.
    ///
    /// Returns the number of its rows, the total not counted.
    ///
    /// # Errors
    ///
    /// The output cannot be written ([`OutputError::BrokenPipe`] is no failure).
    pub fn write(
        &self,
        zone: Zone,
        answer: &RecordBatch,
        out: &mut dyn std::io::Write,
        options: &ReportOptions,
    ) -> Result<usize, OutputError> {
        render::write(self, zone, answer, out, options)
    }

    /// What the filter leaves, in words: `2026-03-01 to 2026-03-31 · claude`.
    fn scope(&self, zone: Zone) -> Cow<'static, str> {
        let label = |us: i64, shown_us: i64| {
            let midnight = zone.local_us(us).rem_euclid(crate::zone::DAY_US) == 0;
            let (format, us) = if midnight { ("%Y-%m-%d", shown_us) } else { ("%Y-%m-%d %H:%M", us) };
            let local = DateTime::from_timestamp_micros(zone.local_us(us));
            local.map_or_else(String::new, |t| t.format(format).to_string())
        };
        // An end at midnight closes the day before.
        let (day, last) = (|us| label(us, us), |us| label(us, us - 1));
        let mut words = Vec::new();
        match (self.filter.since_us, self.filter.until_us) {
            (Some(since), Some(until)) => words.push(format!("{} to {}", day(since), last(until))),
            (Some(since), None) => words.push(format!("since {}", day(since))),
            (None, Some(until)) => words.push(format!("until {}", last(until))),
            (None, None) => {}
        }
        words.extend(self.filter.agent.iter().cloned());
        words.extend(self.filter.project.iter().cloned());
        if words.is_empty() { Cow::Borrowed("everything") } else { Cow::Owned(words.join(" · ")) }
    }
}

#[cfg(test)]
mod tests;
