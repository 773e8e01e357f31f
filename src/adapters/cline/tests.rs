//! Tests of the decoders of Cline, Roo Code and Kilo.
