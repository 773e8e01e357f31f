//! Crush and the Go program OpenCode.

use crate::adapters::{DatabaseDecoder, SourceInfo};
use crate::schema::Format;

/// Decoder of this agent's databases.
#[must_use]
pub fn database(_format: Format, _info: SourceInfo<'_>) -> Option<Box<dyn DatabaseDecoder>> {
    None
}
