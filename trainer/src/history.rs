//! What was measured after every epoch: `history.csv`.

use std::fmt::Write as _;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::files;

/// One row of `history.csv`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct EpochRecord {
    /// Counted from 1.
    pub epoch: usize,
    /// Mean cross-entropy of the training images while the weights changed (with dropout).
    pub loss: f64,
    /// Share of the training images recognized on the way.
    pub accuracy: f64,
    /// Mean cross-entropy of the validation images after the epoch.
    pub val_loss: f64,
    /// Share of the validation images recognized after the epoch.
    pub val_accuracy: f64,
}

/// First line of `history.csv`.
pub const HEADER: &str = "epoch,loss,accuracy,val_loss,val_accuracy";

/// The whole file. It holds nothing that differs between two runs of the same training, so no times.
pub fn to_csv(records: &[EpochRecord]) -> String {
    let mut csv = format!("{HEADER}\n");
    for r in records {
        // Writing to a String cannot fail.
        let _ = writeln!(csv, "{},{:.6},{:.6},{:.6},{:.6}", r.epoch, r.loss, r.accuracy, r.val_loss, r.val_accuracy);
    }
    csv
}

/// Writes `history.csv` whole or not at all.
pub fn save(records: &[EpochRecord], path: &Path) -> std::io::Result<()> {
    files::replace(path, to_csv(records).as_bytes())
}
