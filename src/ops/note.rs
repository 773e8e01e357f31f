//! What the user should know although nothing is wrong.

/// Target of what is said without `-v` although nothing is wrong.
pub(crate) const NOTE: &str = "devlog::note";

/// Says something that the user should know although nothing is wrong: `note: …`.
macro_rules! note {
    ($($text:tt)+) => { tracing::info!(target: $crate::ops::NOTE, $($text)+) };
}
pub(crate) use note;
