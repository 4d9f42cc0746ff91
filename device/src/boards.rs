//! The table of boards that the firmware supports.

use std::sync::LazyLock;

use serde::Deserialize;

use crate::DeviceError;

/// A row of `firmware/boards.toml`.
#[derive(Clone, Debug, Deserialize)]
#[non_exhaustive]
pub struct Board {
    /// Its name.
    pub name: String,
    /// The processor core, by the name that `thumbnet compile --core` takes.
    pub core: String,
    /// Rust's target for that core.
    pub target: String,
    /// Rustc's name for the core, where the target is one for lesser cores too.
    pub cpu: Option<String>,
    /// The feature of the firmware that brings the chip's HAL.
    pub hal: Option<String>,
    /// QEMU's machine; `None` for a board that is not emulated.
    pub emulator: Option<String>,
}

#[derive(Deserialize)]
struct Table {
    board: Vec<Board>,
}

static BOARDS: LazyLock<Vec<Board>> = LazyLock::new(|| {
    let table: Table = toml::from_str(include_str!("../boards.toml")).expect("a test parses the table");
    table.board
});

impl Board {
    /// All boards, the default one first.
    pub fn all() -> &'static [Self] {
        &BOARDS
    }

    /// The board with this name.
    pub fn find(name: &str) -> Result<&'static Self, DeviceError> {
        let known = || Self::all().iter().map(|board| board.name.as_str()).collect::<Vec<_>>().join(", ");
        let unknown = || DeviceError::UnknownBoard { name: name.to_string(), known: known() };
        Self::all().iter().find(|board| board.name == name).ok_or_else(unknown)
    }
}

#[cfg(test)]
mod tests {
    use super::Board;

    #[test]
    fn the_table_parses_and_names_are_unique() {
        assert_eq!(Board::all()[0].name, "mps2-an386");
        for board in Board::all() {
            assert_eq!(Board::all().iter().filter(|other| other.name == board.name).count(), 1, "{}", board.name);
        }
    }

    #[test]
    fn an_unknown_board_is_an_error_that_lists_the_known_ones() {
        let error = Board::find("abacus").unwrap_err().to_string();
        assert!(error.contains("abacus") && error.contains("mps2-an386"), "{error}");
    }
}
