//! What makes two networks and their trainings the same, as lines that people can compare.

use toml::Value;

use crate::{NetworkSpec, SpecError};

/// Fields that change neither the network nor a training of it.
const BESIDE_THE_TRAINING: [&str; 4] = ["name", "seeds", "trained", "notebook"];

impl NetworkSpec {
    /// All that the table says about the network and its training, one `field = value` a line, sorted. A block
    /// gives the same line whether it is written short or as a table; the name is not among them.
    pub fn identity(&self) -> Result<Vec<String>, SpecError> {
        let table = match Value::try_from(self) {
            Ok(Value::Table(table)) => table,
            Ok(other) => return Err(self.invalid(format!("its table became {other}"))),
            Err(fault) => return Err(self.invalid(format!("its table cannot be written: {fault}"))),
        };
        let mut lines = Vec::new();
        for (field, value) in table.iter().filter(|(field, _)| !BESIDE_THE_TRAINING.contains(&field.as_str())) {
            match value {
                Value::Array(blocks) if blocks.iter().any(Value::is_table) => {
                    let numbered = blocks.iter().enumerate();
                    lines.extend(numbered.map(|(index, block)| format!("{field}[{index:02}] = {block}")));
                }
                _ => lines.push(format!("{field} = {value}")),
            }
        }
        lines.sort();
        Ok(lines)
    }
}
