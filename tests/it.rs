//! Tests that run the real binary, real files and other engines; one program, so that it links once.

#![expect(clippy::unwrap_used, clippy::print_stderr, reason = "a test fails by panicking and says what it skips")]

#[path = "it/home.rs"]
mod home;

#[cfg(unix)]
#[path = "it/faults.rs"]
mod faults;
#[path = "it/fuzz_replay.rs"]
mod fuzz_replay;
#[path = "it/guarantees.rs"]
mod guarantees;
#[path = "it/lake_conformance.rs"]
mod lake_conformance;
#[path = "it/lake_crash.rs"]
mod lake_crash;
#[path = "it/lake_power.rs"]
mod lake_power;
#[path = "it/lake_world.rs"]
mod lake_world;
#[path = "it/layers.rs"]
mod layers;
#[path = "it/live.rs"]
mod live;
