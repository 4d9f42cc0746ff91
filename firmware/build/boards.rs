//! The table of boards, `boards.toml`.

use serde::Deserialize;

/// What the build script needs of a row of the table; the fields are described at its top.
#[derive(Debug, Deserialize)]
pub struct Board {
    pub name: String,
    pub core: String,
    pub target: String,
    pub cpu: Option<String>,
    pub file: String,
    pub hal: Option<String>,
    pub flash: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    board: Vec<Board>,
}

/// The board with this name.
pub fn find(table: &str, name: &str) -> Result<Board, String> {
    let Table { board: boards } = toml::from_str(table).map_err(|error| format!("boards.toml: {error}"))?;
    let names: Vec<String> = boards.iter().map(|board| board.name.clone()).collect();
    let unknown = || format!("boards.toml has no board {name}, only {}", names.join(", "));
    boards.into_iter().find(|board| board.name == name).ok_or_else(unknown)
}
