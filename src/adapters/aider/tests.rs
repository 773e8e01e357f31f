//! Tests of the decoders of Aider.
