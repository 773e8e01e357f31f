//! Which time zone days and weeks are formed in.

use super::{ConfigError, Env};
use crate::text::nearest;
use crate::zone::Zone;

/// The zone that programs on this machine write local times in, whatever zone the user reads them in.
pub(super) fn of_machine(env: &Env) -> Option<Zone> {
    let named = env.text("TZ").and_then(|name| match meant(name) {
        Meant::Zone(zone) => Some(zone),
        Meant::System | Meant::Nothing => None,
    });
    named.or_else(|| env.system_timezone.as_deref().and_then(Zone::named))
}

/// What `TZ` says.
enum Meant {
    Zone(Zone),
    /// The file that holds this machine's zone.
    System,
    Nothing,
}

/// POSIX allows a colon before the name, and the C library a file in the place of one.
fn meant(text: &str) -> Meant {
    let name = text.trim_start_matches(':');
    if name == "/etc/localtime" {
        return Meant::System;
    }
    let name = name.split_once("/zoneinfo/").map_or(name, |(_, name)| name);
    Zone::named(name).map_or(Meant::Nothing, Meant::Zone)
}

/// Chooses the zone. A wrong name that the user gave us is an error; a wrong `TZ`, which was set for
/// other programs, is a warning.
pub(super) fn resolve(
    flag: Option<&str>,
    file: Option<&str>,
    env: &Env,
    warnings: &mut Vec<String>,
) -> Result<String, ConfigError> {
    for (name, place) in [(flag, "--timezone"), (file, "config.toml")] {
        if let Some(name) = name {
            return known(name, place);
        }
    }
    if let Some(text) = env.text("TZ") {
        match meant(text) {
            Meant::Zone(zone) => return Ok(zone.name().to_owned()),
            Meant::System => {}
            Meant::Nothing => {
                warnings.push(format!("TZ={text:?} is not an IANA time zone and is ignored; name one with --timezone"));
            }
        }
    }
    let system = env.system_timezone.as_deref().and_then(Zone::named);
    Ok(system.map_or_else(|| "UTC".to_owned(), |zone| zone.name().to_owned()))
}

fn known(name: &str, place: &'static str) -> Result<String, ConfigError> {
    Zone::named(name).map(|zone| zone.name().to_owned()).ok_or_else(|| ConfigError::UnknownZone {
        name: name.to_owned(),
        place,
        nearest: nearest(name, Zone::all_names()).map(str::to_owned),
    })
}
