//! What a training tells while it runs: a progress bar for people, JSON lines for programs.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

use crate::history::EpochRecord;
use crate::spec::NetworkSpec;

/// How a training tells about itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Report {
    /// Progress bar and one line for every epoch.
    People,
    /// One JSON object for every epoch.
    Json,
    /// Nothing.
    Quiet,
}

impl Report {
    /// Before the first epoch.
    pub fn start(self, spec: &NetworkSpec, done: usize, resumed: bool) {
        if self == Self::People {
            let how = if resumed { format!(", going on after epoch {done}") } else { String::new() };
            println!("training {} for {} epochs{how}", spec.name, spec.total_epochs());
        }
    }

    /// For one epoch of `steps` steps.
    pub fn bar(self, epoch: usize, epochs: usize, steps: usize) -> Bar {
        let bar = match self {
            Self::People => ProgressBar::new(steps as u64),
            _ => ProgressBar::hidden(),
        };
        let template = "{prefix} [{bar:30}] {pos}/{len} {msg} {eta} left";
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style.progress_chars("=> "));
        }
        bar.set_prefix(format!("epoch {epoch}/{epochs}"));
        Bar(bar)
    }

    /// After every epoch.
    pub fn epoch(self, record: &EpochRecord, epochs: usize, took: Duration) {
        let EpochRecord { epoch, loss, accuracy, val_loss, val_accuracy } = record;
        match self {
            Self::People => println!(
                "epoch {epoch}/{epochs}  loss {loss:.4}  accuracy {accuracy:.4}  \
                 val_loss {val_loss:.4}  val_accuracy {val_accuracy:.4}  {:.1} s",
                took.as_secs_f64()
            ),
            // A record of numbers always has a JSON form.
            Self::Json => println!("{}", serde_json::to_string(record).unwrap_or_default()),
            Self::Quiet => {}
        }
    }
}

/// The progress bar of one epoch; it goes away with the epoch.
pub struct Bar(ProgressBar);

impl Bar {
    /// One step done; the loss and the accuracy so far.
    pub fn step(&self, loss: f64, accuracy: f64) {
        self.0.set_message(format!("loss {loss:.4} accuracy {accuracy:.4}"));
        self.0.inc(1);
    }
}

impl Drop for Bar {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}
