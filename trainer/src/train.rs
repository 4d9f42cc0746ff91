//! Training: epochs, checkpoints, and what is written at the end.

use std::path::PathBuf;
use std::time::Instant;

use anyhow::{Context, Result, bail};
use burn::module::Module;
use burn::optim::ModuleOptimizer;
use burn::tensor::Device;
use networks::{NetworkSpec, Schedule, SpecError};

use crate::backend::Backend;
use crate::card::{self, Card};
use crate::checkpoint::{self, RunId, State};
use crate::data::{self, Data};
use crate::evaluate::evaluate;
use crate::export;
use crate::history::{self, EpochRecord};
use crate::layers::{rows, totals};
use crate::network::Network;
use crate::optimizer::KerasOptimizer;
use crate::plot::{Confusion, Curves, Picture};
use crate::progress::Progress;
use crate::rng::Rng;
use crate::step::{Step, failed};
use crate::stepper::Stepper;

/// Images on which the exported file is compared with the network.
const EXPORT_CHECK_IMAGES: usize = 200;

/// Keeps the backend's random stream (dropout) apart from the others of the same seed.
const DROPOUT: u64 = 4;

/// How to run a training.
#[derive(Clone, Debug)]
pub struct Options {
    /// All random choices follow from it.
    pub seed: u64,
    /// What does the arithmetic.
    pub backend: Backend,
    /// On which of its devices, by number; none: on the one that it chooses.
    pub devices: Vec<usize>,
    /// Where the model and its checkpoints go.
    pub out: PathBuf,
    /// Go on from the last checkpoint.
    pub resume: bool,
}

/// How a training ended.
#[derive(Debug)]
pub enum Outcome {
    /// All epochs are done and the model is written.
    Finished(Box<Card>),
    /// `--resume` on a training that had ended before.
    AlreadyDone(Box<Card>),
    /// Stopped after a step; this many epochs are kept.
    Interrupted {
        /// Whole epochs.
        epochs: usize,
    },
}

/// Trains `spec` on `data` until all epochs are done or `stop` says so (asked after every step), and writes to
/// `options.out`: `history.csv` and a checkpoint after every epoch; `model.onnx`, `card.json` and the plots at the end.
pub fn train(
    spec: &NetworkSpec,
    data: &Data,
    options: &Options,
    progress: &Progress,
    stop: &dyn Fn() -> bool,
) -> Result<Outcome> {
    let out = &options.out;
    let spec = &data.fit(spec)?;
    let devices = options.backend.devices(&options.devices)?;
    let device = devices[0].clone();
    let run = run_id(spec, data, options)?;
    std::fs::create_dir_all(out).with_context(|| format!("{}: cannot be created", out.display()))?;
    if options.resume {
        if let Some(mut card) = Card::load(out) {
            if card.run.differences(&run).is_empty() {
                card.complete(spec, &run, out)?;
            }
            if card.run == run {
                // It may have been killed when all was written but this.
                checkpoint::clear(out)?;
                return Ok(Outcome::AlreadyDone(Box::new(card)));
            }
        }
    } else {
        checkpoint::clear(out)?;
    }
    // A card of another training would no longer tell the truth about what lies beside it.
    match std::fs::remove_file(out.join(card::FILE)) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error.into()),
        _ => {}
    }

    let stepper = Stepper::new(&devices);
    let network = Network::new(spec, options.seed, stepper.main_device())?;
    let loaded = match options.resume {
        true => checkpoint::load(out, &run, network.clone(), |epoch| stage(spec, epoch.saturating_sub(1)).start())?,
        false => None,
    };
    let resumed = loaded.is_some();
    let (state, network, optimizer) = loaded.unwrap_or_else(|| {
        let state = State { run, history: Vec::new(), seconds: 0.0 };
        (state, network, stage(spec, 0).start())
    });
    progress.start(spec, state.history.len(), resumed);
    let mut training = Training { spec, data, seed: options.seed, stepper, network, optimizer };
    let mut state = state;
    let file = out.join("history.csv");
    if resumed {
        // A training that was killed may have left the file one epoch behind its checkpoint.
        history::save(&state.history, &file)?;
    }
    while state.history.len() < spec.total_epochs() {
        let started = Instant::now();
        let epoch = state.history.len();
        if epoch > 0 && epoch.is_multiple_of(spec.epochs) {
            // The next optimizer begins with the weights as they are and nothing remembered.
            training.optimizer = stage(spec, epoch).start();
        }
        let Some((loss, accuracy)) = training.epoch(epoch, progress, stop)? else {
            return Ok(Outcome::Interrupted { epochs: epoch });
        };
        let score = evaluate(&training.trained(&device), data.validation(), &device).map_err(failed)?;
        let (val_loss, val_accuracy) = (score.loss, score.accuracy());
        let record = EpochRecord { epoch: epoch + 1, loss, accuracy, val_loss, val_accuracy };
        state.history.push(record);
        state.seconds += started.elapsed().as_secs_f64();
        checkpoint::save(out, &state, &training.network, &training.optimizer)?;
        history::save(&state.history, &file)?;
        progress.epoch(&record, spec.total_epochs(), started.elapsed());
    }
    let card = finish(spec, data, options, &training.trained(&device), state, &device)?;
    checkpoint::clear(out)?;
    Ok(Outcome::Finished(Box::new(card)))
}

/// The optimizer of `epoch`, counted from 0.
fn stage(spec: &NetworkSpec, epoch: usize) -> KerasOptimizer {
    KerasOptimizer(spec.optimizer[(epoch / spec.epochs).min(spec.optimizer.len() - 1)])
}

/// What identifies the training that `options` ask for.
pub fn run_id(spec: &NetworkSpec, data: &Data, options: &Options) -> Result<RunId, SpecError> {
    Ok(RunId {
        network: spec.name.clone(),
        seed: options.seed,
        epochs: spec.epochs,
        optimizers: spec.optimizer.clone(),
        batch: spec.batch,
        backend: options.backend,
        devices: options.devices.len().max(1),
        data: data.source.clone(),
        train_images: data.train.len(),
        table: data.fit(spec)?.identity()?,
    })
}

struct Training<'a> {
    spec: &'a NetworkSpec,
    data: &'a Data,
    seed: u64,
    stepper: Stepper,
    network: Network,
    optimizer: ModuleOptimizer,
}

impl Training<'_> {
    /// One pass over the training images in an order of its own; returns the mean loss and the accuracy on the way,
    /// or `None` if it was told to stop. All that is random in it follows from the seed and the epoch, as long as
    /// no other training runs in this process: the backends have one random generator (dropout) for all.
    fn epoch(&mut self, epoch: usize, progress: &Progress, stop: &dyn Fn() -> bool) -> Result<Option<(f64, f64)>> {
        let set = &self.data.train;
        let order = data::epoch_order(set.len(), self.seed, epoch);
        self.stepper.seed(Rng::new(&[self.seed, DROPOUT, epoch as u64]).next_u64());
        let steps = order.len().div_ceil(self.spec.batch);
        let bar = progress.bar(epoch + 1, self.spec.total_epochs(), steps);
        let load = |indices: &[usize], device: &Device| match &self.spec.augment {
            Some(augment) => data::augmented_batch(set, indices, augment, [self.seed, epoch as u64], device),
            None => data::batch(set, indices.iter().copied(), device),
        };
        let (mut loss_sum, mut correct, mut seen) = (0.0, 0, 0);
        for (step, indices) in order.chunks(self.spec.batch).enumerate() {
            let Step { loss, answers, gradients } = self.stepper.step(&self.network, indices, &load)?;
            if !loss.is_finite() {
                bail!(
                    "the loss is {loss} in epoch {}, step {} of {steps}: the training has diverged; \
                     try a smaller learning_rate in its table or another --seed",
                    epoch + 1,
                    step + 1
                );
            }
            let rate = self.rate(epoch, step, steps);
            self.network = self.optimizer.step(rate, self.network.clone(), gradients);
            let right = indices.iter().zip(&answers);
            correct += right.filter(|&(&image, &answer)| usize::from(set.label(image)) == answer).count();
            seen += indices.len();
            loss_sum += loss * indices.len() as f64;
            bar.step(loss_sum / seen as f64, correct as f64 / seen as f64);
            if stop() {
                return Ok(None);
            }
        }
        Ok(Some((loss_sum / seen as f64, correct as f64 / seen as f64)))
    }

    /// The network as it is now, on `device`, without autodiff.
    fn trained(&self, device: &Device) -> Network {
        // A step on several devices may leave the running statistics on any of them.
        self.network.valid().to_device(device)
    }

    /// The step size at `step` of `epoch`, both counted from 0.
    fn rate(&self, epoch: usize, step: usize, steps: usize) -> f64 {
        let kind = stage(self.spec, epoch);
        let iteration = (epoch % self.spec.epochs) * steps + step;
        let full = self.spec.learning_rate.unwrap_or(kind.default_rate()) * kind.decay(iteration);
        match self.spec.schedule {
            Schedule::Constant => full,
            Schedule::Cosine => {
                let done = iteration as f64 / (self.spec.epochs * steps) as f64;
                full * 0.5 * (1.0 + (std::f64::consts::PI * done).cos())
            }
        }
    }
}

/// Measures the trained network, exports it and writes card and plots.
fn finish(
    spec: &NetworkSpec,
    data: &Data,
    options: &Options,
    network: &Network,
    state: State,
    device: &Device,
) -> Result<Card> {
    let out = &options.out;
    let score = evaluate(network, &data.test, device).map_err(failed)?;
    let onnx_difference = export::export(network, &data.test, EXPORT_CHECK_IMAGES, device, &out.join("model.onnx"))?;
    Curves { title: &spec.name, history: &state.history }.save(out, "curves")?;
    Confusion { title: &spec.name, matrix: &score.confusion }.save(out, "confusion")?;
    let sums = totals(&rows(spec)?);
    let Some(&last_epoch) = state.history.last() else {
        bail!("no epoch was trained");
    };
    let card = Card {
        run: state.run,
        params: sums.params,
        macs: sums.macs,
        learning_rate: card::learning_rate(spec),
        schedule: spec.schedule,
        augment: spec.augment,
        validation: card::validation_words(spec),
        validation_images: data.validation().len(),
        last_epoch,
        test_images: score.images,
        test_loss: score.loss,
        test_accuracy: score.accuracy(),
        onnx_difference,
        seconds: (state.seconds * 10.0).round() / 10.0,
        burn: card::BURN_VERSION.to_string(),
        commit: card::commit(),
        date: card::now(),
    };
    card.save(out)?;
    Ok(card)
}
