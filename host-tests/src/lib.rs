//! Proof of parity between the core, the references and the boards.
