//! The part of `adapters` that says where devlog looked, and why nothing came.

use super::super::table::{Align, Table};
use super::super::{CliError, Streams};
use super::{answer, short_path};
use crate::config::Settings;
use crate::ops::{AgentFound, Looked, PlaceState};
use crate::text::units;

/// Lists the places that gave nothing, or not all; with `chosen` each place of these agents, else of the places
/// of an agent where nothing is the first one.
pub(super) fn render(
    settings: &Settings,
    agents: &[AgentFound],
    chosen: bool,
    streams: &mut Streams<'_>,
) -> Result<(), CliError> {
    let mut table = Table::new(&[("agent", Align::Left), ("looked in", Align::Left), ("there", Align::Left)]);
    let (mut any, mut folded) = (false, false);
    for agent in agents {
        let is_here = agent.is_here();
        let tells = |looked: &&Looked| {
            let is_silent = matches!(looked.state, PlaceState::Logs | PlaceState::NotThere) && looked.notes.is_empty();
            chosen || !is_here || !is_silent
        };
        let (empty, told): (Vec<_>, Vec<_>) =
            agent.looked.iter().filter(tells).partition(|looked| !chosen && looked.state == PlaceState::NotThere);
        let more = match empty.len() {
            0 | 1 => String::new(),
            many => format!(" and {} more", many - 1),
        };
        let empty = empty.first().map(|looked| (*looked, more.as_str()));
        for (looked, more) in told.into_iter().map(|looked| (looked, "")).chain(empty) {
            any = true;
            folded |= !more.is_empty();
            table.row([agent.agent.clone(), format!("{}{more}", short_path(settings, &looked.path)), there(looked)]);
        }
    }
    if !any {
        return Ok(());
    }
    answer(streams, "")?;
    table.write(streams.out, settings.terminal.columns).map_err(|source| CliError::Output { source })?;
    if folded { answer(streams, "devlog adapters --agent NAME lists all places of an agent") } else { Ok(()) }
}

fn there(looked: &Looked) -> String {
    let state = match looked.state {
        PlaceState::Logs => units::counted(looked.logs, "log"),
        PlaceState::NoLogs => "no logs".to_owned(),
        PlaceState::DanglingLink => "a link to nothing".to_owned(),
        PlaceState::NotReadable => "not readable".to_owned(),
        PlaceState::NotThere => "nothing".to_owned(),
    };
    match looked.notes.first() {
        None => state,
        Some(first) => {
            let more = looked.notes.len() - 1;
            let more = if more == 0 { String::new() } else { format!(" (and {more} more)") };
            format!("{state}; {first}{more}")
        }
    }
}
