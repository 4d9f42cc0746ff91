//! Frames between a host and a board.
