//! Tests of the decoders of Continue.
