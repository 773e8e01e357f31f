//! Each view against numbers counted by hand.
