//! What a training tells while it runs: progress bars for people, JSON lines for programs.

use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};
use networks::NetworkSpec;

use crate::history::EpochRecord;

/// How a training tells about itself.
#[derive(Clone, Debug)]
pub enum Progress {
    /// Progress bars and one line for every epoch.
    People(Bars),
    /// One JSON object for every epoch.
    Json,
    /// Nothing.
    Quiet,
}

/// The bars on the screen: one for the epoch, and below it one for all trainings of a command that runs several.
#[derive(Clone, Debug)]
pub struct Bars {
    screen: MultiProgress,
    overall: Option<Overall>,
}

/// Several trainings, one after the other.
#[derive(Clone, Debug)]
struct Overall {
    bar: ProgressBar,
    /// What an epoch of the present training adds to the bar.
    epoch_work: u64,
}

impl Progress {
    /// For people, with a bar for the epoch.
    pub fn people() -> Self {
        Self::People(Bars { screen: MultiProgress::new(), overall: None })
    }

    /// With a bar for several trainings, `work` units of work in all.
    pub fn with_overall(mut self, work: u64) -> Self {
        if let Self::People(bars) = &mut self {
            let bar =
                styled(ProgressBar::new(work), "{prefix} [{bar:30}] {percent} % of all, {elapsed} gone, {eta} left");
            bar.enable_steady_tick(Duration::from_secs(1));
            bars.overall = Some(Overall { bar: bars.screen.add(bar), epoch_work: 0 });
        }
        self
    }

    /// For one of several trainings, every epoch of which is `epoch_work` units of work.
    pub fn training(&self, number: usize, of: usize, epoch_work: u64) -> Self {
        let mut progress = self.clone();
        if let Self::People(Bars { overall: Some(overall), .. }) = &mut progress {
            overall.bar.set_prefix(format!("training {number}/{of}"));
            overall.epoch_work = epoch_work;
        }
        progress
    }

    /// Of several trainings' epochs, so many were done before: what took no time says nothing about the time left.
    pub fn done_before(&self, epochs: usize) {
        if let Self::People(Bars { overall: Some(overall), .. }) = self {
            overall.bar.inc(overall.epoch_work * epochs as u64);
            overall.bar.reset_eta();
        }
    }

    /// A line for people.
    pub fn line(&self, line: &str) {
        if let Self::People(bars) = self {
            bars.screen.suspend(|| println!("{line}"));
        }
    }

    /// Before the first epoch.
    pub fn start(&self, spec: &NetworkSpec, done: usize, resumed: bool) {
        let how = if resumed { format!(", going on after epoch {done}") } else { String::new() };
        self.line(&format!("training {} for {} epochs{how}", spec.name, spec.total_epochs()));
        self.done_before(done);
    }

    /// For one epoch of `steps` steps.
    pub fn bar(&self, epoch: usize, epochs: usize, steps: usize) -> Bar {
        let bar = ProgressBar::with_draw_target(Some(steps as u64), ProgressDrawTarget::hidden());
        let bar = styled(bar, "{prefix} [{bar:30}] {pos}/{len} {msg} {eta} left");
        bar.set_prefix(format!("epoch {epoch}/{epochs}"));
        Bar(match self {
            Self::People(bars) => bars.screen.insert(0, bar),
            Self::Json | Self::Quiet => bar,
        })
    }

    /// After every epoch.
    pub fn epoch(&self, record: &EpochRecord, epochs: usize, took: Duration) {
        let EpochRecord { epoch, loss, accuracy, val_loss, val_accuracy } = record;
        match self {
            Self::People(bars) => {
                self.line(&format!(
                    "epoch {epoch}/{epochs}  loss {loss:.4}  accuracy {accuracy:.4}  \
                     val_loss {val_loss:.4}  val_accuracy {val_accuracy:.4}  {:.1} s",
                    took.as_secs_f64()
                ));
                if let Some(overall) = &bars.overall {
                    overall.bar.inc(overall.epoch_work);
                }
            }
            // A record of numbers always has a JSON form.
            Self::Json => println!("{}", serde_json::to_string(record).unwrap_or_default()),
            Self::Quiet => {}
        }
    }
}

fn styled(bar: ProgressBar, template: &str) -> ProgressBar {
    match ProgressStyle::with_template(template) {
        Ok(style) => bar.with_style(style.progress_chars("=> ")),
        Err(_) => bar,
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
