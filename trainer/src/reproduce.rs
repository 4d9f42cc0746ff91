//! Many trainings, one after the other, each going on where it was stopped.

use std::path::{Path, PathBuf};

use anyhow::{Result, bail};
use networks::{NetworkSpec, SpecError, Table};

use crate::backend::Backend;
use crate::card::Card;
use crate::checkpoint::RunId;
use crate::data::Images;
use crate::layers::{rows, totals};
use crate::progress::Progress;
use crate::train::{self, Options, Outcome, train};

/// What to reproduce, and how.
#[derive(Clone, Debug)]
pub struct Plan {
    /// A table of one's own.
    pub table: Option<Table>,
    /// Names of networks; none: all that the notebook has, or all of one's own table that are to be trained.
    pub names: Vec<String>,
    /// Epochs for every optimizer, where not the network's own.
    pub epochs: Option<usize>,
    /// Seeds, where not the network's own.
    pub seeds: Option<Vec<u64>>,
    /// What does the arithmetic.
    pub backend: Backend,
    /// Numbers of its devices.
    pub devices: Vec<usize>,
    /// Directory with IDX files, where not MNIST.
    pub data: Option<PathBuf>,
    /// Use only the first so many training, validation and test images.
    pub limit: Option<usize>,
    /// Directory of the models.
    pub out: PathBuf,
}

/// How it ended.
#[derive(Debug)]
pub enum Ended {
    /// Every training is done; these are their cards.
    Done(Vec<Card>),
    /// Stopped in this training.
    Interrupted {
        /// The network.
        network: String,
    },
}

/// Where the training of `name` with `seed` goes: the first of its `seeds` is the network's result.
pub fn directory(models: &Path, name: &str, seeds: &[u64], seed: u64) -> PathBuf {
    let network = models.join(name);
    if seeds.first() == Some(&seed) { network } else { network.join("seeds").join(seed.to_string()) }
}

impl Plan {
    /// Trains whatever is not trained yet, until done or `stop` says so (asked after every step).
    pub fn run(&self, progress: Progress, stop: &dyn Fn() -> bool) -> Result<Ended> {
        let images = Images::load(self.data.as_deref())?;
        let fit = |spec: NetworkSpec| spec.for_data(images.shape(), images.classes());
        let specs = self.specs()?.into_iter().map(fit).collect::<Result<Vec<_>, _>>()?;
        let mut jobs = Vec::new();
        for spec in &specs {
            let seeds = self.seeds.as_deref().unwrap_or(&spec.seeds);
            jobs.extend(seeds.iter().map(|&seed| (spec, seed, directory(&self.out, &spec.name, seeds, seed))));
        }
        // Multiplications are what an epoch's time grows with.
        let work = |spec: &NetworkSpec| Ok::<u64, SpecError>(totals(&rows(spec)?).macs as u64);
        let mut all = 0;
        for (spec, ..) in &jobs {
            all += work(spec)? * spec.total_epochs() as u64;
        }
        let progress = progress.with_overall(all);
        let mut cards = Vec::new();
        for (index, (spec, seed, out)) in jobs.iter().enumerate() {
            let progress = progress.training(index + 1, jobs.len(), work(spec)?);
            let data = images.split(spec, self.limit)?;
            let (seed, out) = (*seed, out.clone());
            let options = Options { seed, backend: self.backend, devices: self.devices.clone(), out, resume: true };
            if let Some(card) = already(spec, &train::run_id(spec, &data, &options)?, &options.out)? {
                progress.line(&format!(
                    "{}, seed {seed}: was trained already ({})",
                    spec.name,
                    card.run.backend.name()
                ));
                progress.done_before(spec.total_epochs());
                cards.push(card);
                continue;
            }
            match train(spec, &data, &options, &progress, stop)? {
                Outcome::Finished(card) | Outcome::AlreadyDone(card) => cards.push(*card),
                Outcome::Interrupted { .. } => return Ok(Ended::Interrupted { network: spec.name.clone() }),
            }
        }
        Ok(Ended::Done(cards))
    }

    fn specs(&self) -> Result<Vec<NetworkSpec>> {
        let (table, is_own) = match &self.table {
            Some(table) => (table.clone(), true),
            None => (Table::carried()?, false),
        };
        let is_wanted = |spec: &&NetworkSpec| if is_own { spec.trained } else { spec.notebook.is_some() };
        let mut specs: Vec<NetworkSpec> = match &self.names[..] {
            [] => table.networks.iter().filter(is_wanted).cloned().collect(),
            names => names.iter().map(|name| table.find(name).cloned()).collect::<Result<_, _>>()?,
        };
        if let Some(epochs) = self.epochs {
            specs.iter_mut().for_each(|spec| spec.epochs = epochs);
        }
        Ok(specs)
    }
}

/// The card in `out` if it tells of the training `run` of `spec`, whatever did the arithmetic.
fn already(spec: &NetworkSpec, run: &RunId, out: &Path) -> Result<Option<Card>> {
    let Some(mut card) = Card::load(out) else {
        return Ok(None);
    };
    let differences =
        |card: &Card| RunId { backend: run.backend, devices: run.devices, ..card.run.clone() }.differences(run);
    if differences(&card).is_empty() {
        card.complete(spec, run, out)?;
    }
    let differences = differences(&card);
    if !differences.is_empty() {
        bail!(
            "{}: holds another training ({differences}): choose another --out, or remove it to train anew",
            out.display()
        );
    }
    Ok(Some(card))
}
