//! pi.

use crate::adapters::{Decoder, SourceInfo};
use crate::schema::{Checkpoint, Format};

/// Decoder of this agent's lines and documents.
#[must_use]
pub fn decoder(_format: Format, _info: SourceInfo<'_>, _checkpoint: Option<&Checkpoint>) -> Option<Box<dyn Decoder>> {
    None
}
