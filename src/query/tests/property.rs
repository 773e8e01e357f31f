//! Any split of rows between memory and parts gives the same answers.
