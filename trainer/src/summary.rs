//! The layer table of a network, as Keras prints it.

use comfy_table::{CellAlignment, Table, presets};
use networks::{NetworkSpec, SpecError};
use serde::Serialize;

use crate::layers::{Row, Totals, rows, totals};

/// One line of `trainer summary --json`.
#[derive(Debug, Serialize)]
pub struct Summary {
    /// The network.
    pub name: String,
    /// Sums over all layers.
    #[serde(flatten)]
    pub totals: Totals,
    /// The layers in order.
    pub layers: Vec<Row>,
}

impl Summary {
    /// Lists the layers of `spec`.
    pub fn new(spec: &NetworkSpec) -> Result<Self, SpecError> {
        let layers = rows(spec)?;
        Ok(Self { name: spec.name.clone(), totals: totals(&layers), layers })
    }

    /// The table for people.
    pub fn table(&self) -> String {
        let mut table = Table::new();
        table.load_style(presets::UTF8_HORIZONTAL_ONLY).set_header(["layer", "output shape", "parameters", "MACs"]);
        for layer in &self.layers {
            let shape = layer.output.iter().map(ToString::to_string).collect::<Vec<_>>().join(" x ");
            let params = (layer.trainable + layer.non_trainable).to_string();
            table.add_row([format!("{} ({})", layer.name, layer.kind), shape, params, layer.macs.to_string()]);
        }
        for column in [2, 3] {
            if let Some(column) = table.column_mut(column) {
                column.set_cell_alignment(CellAlignment::Right);
            }
        }
        let Totals { params, trainable, non_trainable, macs } = self.totals;
        format!(
            "{}\n{table}\nparameters {params} (trainable {trainable}, non-trainable {non_trainable}), {macs} MACs an image\n",
            self.name
        )
    }
}
