//! Tests that run the real binary, real files and other engines; one program, so that it links once.

#![allow(
    unreachable_pub,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stderr,
    clippy::string_slice,
    clippy::cast_possible_truncation,
    clippy::let_underscore_must_use,
    reason = "a test fails by panicking, says what it skips, and is no library"
)]

#[path = "../fuzz/bodies.rs"]
mod bodies;
#[path = "it/home.rs"]
mod home;

#[cfg(unix)]
#[path = "it/asking.rs"]
mod asking;
#[cfg(unix)]
#[path = "it/beside.rs"]
mod beside;
#[cfg(unix)]
#[path = "it/bounds.rs"]
mod bounds;
#[path = "it/cli.rs"]
mod cli;
#[path = "it/copies.rs"]
mod copies;
#[path = "it/families.rs"]
mod families;
#[cfg(unix)]
#[path = "it/faults.rs"]
mod faults;
#[path = "it/folders.rs"]
mod folders;
#[path = "it/fuzz_replay.rs"]
mod fuzz_replay;
#[path = "it/golden.rs"]
mod golden;
#[path = "it/guarantees.rs"]
mod guarantees;
#[path = "it/identity.rs"]
mod identity;
#[cfg(unix)]
#[path = "it/kept.rs"]
mod kept;
#[path = "it/lake_conformance.rs"]
mod lake_conformance;
#[path = "it/lake_crash.rs"]
mod lake_crash;
#[path = "it/lake_damage.rs"]
mod lake_damage;
#[path = "it/lake_power.rs"]
mod lake_power;
#[path = "it/lake_world.rs"]
mod lake_world;
#[path = "it/layers.rs"]
mod layers;
#[cfg(unix)]
#[path = "it/limits.rs"]
mod limits;
#[path = "it/lineage.rs"]
mod lineage;
#[cfg(unix)]
#[path = "it/links.rs"]
mod links;
#[path = "it/live.rs"]
mod live;
#[path = "it/modules.rs"]
mod modules;
#[path = "it/numbers.rs"]
mod numbers;
#[path = "it/output.rs"]
mod output;
#[cfg(unix)]
#[path = "it/places.rs"]
mod places;
#[path = "it/projects.rs"]
mod projects;
#[path = "it/readme.rs"]
mod readme;
#[path = "it/retention.rs"]
mod retention;
#[cfg(all(target_os = "linux", target_env = "gnu"))]
#[path = "it/screen.rs"]
mod screen;
#[path = "it/secrets.rs"]
mod secrets;
#[cfg(all(target_os = "linux", target_env = "gnu"))]
#[path = "it/shots.rs"]
mod shots;
#[cfg(unix)]
#[path = "it/sources.rs"]
mod sources;
#[path = "it/space.rs"]
mod space;
#[path = "it/states.rs"]
mod states;
#[path = "it/unique.rs"]
mod unique;
#[cfg(unix)]
#[path = "it/unread.rs"]
mod unread;
#[cfg(unix)]
#[path = "it/voice.rs"]
mod voice;
