//! Tables of networks: the one that is carried, and a user's own.

use std::collections::HashSet;
use std::path::Path;

use serde::Deserialize;

use crate::{NetworkSpec, SpecError};

/// The table that this crate carries.
const CARRIED: &str = include_str!("../../trainer/networks.toml");
/// What errors call it.
const CARRIED_NAME: &str = "networks.toml";

/// Networks in the order of their file.
#[derive(Clone, Debug, PartialEq)]
pub struct Table {
    /// All of them; no name is there twice.
    pub networks: Vec<NetworkSpec>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    network: Vec<NetworkSpec>,
}

impl Table {
    /// The project's own table.
    pub fn carried() -> Result<Self, SpecError> {
        Self::parse(CARRIED, CARRIED_NAME)
    }

    /// Reads the table in the file `path`.
    pub fn load(path: &Path) -> Result<Self, SpecError> {
        let text = std::fs::read_to_string(path).map_err(|source| SpecError::Read { path: path.into(), source })?;
        Self::parse(&text, &path.display().to_string())
    }

    /// Reads a table; errors call it `file`.
    pub fn parse(text: &str, file: &str) -> Result<Self, SpecError> {
        let parse_error = |fault| SpecError::Parse { file: file.to_string(), fault: Box::new(fault) };
        let File { network: networks } = toml::from_str(text).map_err(parse_error)?;
        let mut names = HashSet::new();
        for network in &networks {
            let is_new = names.insert(&network.name);
            let checked = if is_new { network.check() } else { Err(network.invalid("is there twice".to_string())) };
            checked.map_err(|fault| SpecError::InTable { file: file.to_string(), fault: Box::new(fault) })?;
        }
        Ok(Self { networks })
    }

    /// The network called `name`.
    pub fn find(&self, name: &str) -> Result<&NetworkSpec, SpecError> {
        let found = self.networks.iter().find(|network| network.name == name);
        found.ok_or_else(|| {
            let known = self.networks.iter().map(|network| network.name.as_str()).collect::<Vec<_>>().join(", ");
            SpecError::Unknown { name: name.to_string(), known }
        })
    }
}

/// Reads a table of networks.
pub fn parse(text: &str) -> Result<Vec<NetworkSpec>, SpecError> {
    Ok(Table::parse(text, CARRIED_NAME)?.networks)
}

/// All networks of `networks.toml`, in its order.
pub fn all() -> Result<Vec<NetworkSpec>, SpecError> {
    Ok(Table::carried()?.networks)
}

/// The network of `networks.toml` called `name`.
pub fn find(name: &str) -> Result<NetworkSpec, SpecError> {
    Table::carried()?.find(name).cloned()
}
