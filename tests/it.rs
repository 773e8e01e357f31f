//! Tests that run the real binary, real files and real sockets, one module a subject.

mod it {
    pub mod home;

    mod fuzz_replay;
    mod guarantees;
    mod layers;
}
