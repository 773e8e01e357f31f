//! `report`: ready-made summaries, made and shown by the query room.

use arrow::compute::concat_batches;

use super::super::args::ReportArgs;
use super::super::progress::{self, View};
use super::super::{CliError, Outcome, Streams};
use crate::ops::{self, QueryPlan};

use super::when;
use crate::config::{Edge, Settings};
use crate::query::{OutputError, Report, ReportFilter, ReportOptions};
use crate::zone::Zone;

/// Answers one report.
pub(in super::super) fn run(
    settings: &Settings,
    args: &ReportArgs,
    quiet: bool,
    streams: &mut Streams<'_>,
) -> Result<Outcome, CliError> {
    let filter = ReportFilter {
        since_us: when(settings, streams.now_us, "--since", Edge::Since, args.since.as_deref())?,
        until_us: when(settings, streams.now_us, "--until", Edge::Until, args.until.as_deref())?,
        agent: args.agent.clone(),
        project: args.project.clone(),
    };
    if let (Some(since), Some(until)) = (filter.since_us, filter.until_us)
        && since >= until
    {
        return Err(CliError::EmptyRange);
    }
    let report = Report { kind: args.kind, filter };
    let (sql, parameters) = report.sql();
    let plan = QueryPlan { sql, parameters, sync: !args.no_sync, timeout: None };
    let mut view = View::new("catching up:", settings.terminal.stderr, quiet);
    let rows = progress::shown(&mut view, streams.err, |on| ops::rows(settings, &plan, on))?;
    let (schema, mut lacking, not_read) = (rows.schema(), rows.lacking(), rows.not_read());
    if args.no_sync {
        lacking.push("new lines of the logs were not looked for (--no-sync)".to_owned());
    }
    // A report is one row per day, session, model: small whatever the lake's size.
    let batches = rows.collect::<Result<Vec<_>, _>>()?;
    let answer = concat_batches(&schema, &batches).map_err(|source| CliError::failed("the report", source))?;
    let options = ReportOptions {
        width: settings.terminal.columns.filter(|_| settings.terminal.stdout).map(usize::from),
        color: settings.terminal.color,
        json: args.json,
        now_us: Some(streams.now_us),
        lacking,
        not_read,
    };
    let zone = Zone::named(&settings.timezone).unwrap_or(Zone::UTC);
    let shown = report.write(zone, &answer, &mut *streams.out, &options).map_err(|error| match error {
        OutputError::BrokenPipe => CliError::Output { source: std::io::ErrorKind::BrokenPipe.into() },
        OutputError::Io { source } => CliError::Output { source },
        other => CliError::failed("writing the report", other),
    })?;
    if shown == 0
        && let Some(project) = &args.project
    {
        super::projects::tell_unknown(settings, project, streams)?;
    }
    Ok(if shown == 0 { Outcome::Nothing } else { Outcome::Done })
}
