//! Goose.

use crate::adapters::{DatabaseDecoder, Decoder, SourceInfo};
use crate::schema::{Checkpoint, Format};

/// Decoder of this agent's lines and documents.
#[must_use]
pub fn decoder(_format: Format, _info: SourceInfo<'_>, _checkpoint: Option<&Checkpoint>) -> Option<Box<dyn Decoder>> {
    None
}

/// Decoder of this agent's databases.
#[must_use]
pub fn database(_format: Format, _info: SourceInfo<'_>) -> Option<Box<dyn DatabaseDecoder>> {
    None
}
