//! Where a training stood after its last whole epoch, so that it can go on from there.
//!
//! A checkpoint is a directory `OUT/checkpoint/epoch-NNNN` with the weights, the optimizer's memory and `state.json`.
//! It is written under another name and moved into place when it is whole; only then is the one before it removed.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use burn::module::Module;
use burn::optim::ModuleOptimizer;
use burn::store::RecordError;
use networks::Optimizer;
use serde::{Deserialize, Serialize};

use crate::backend::Backend;
use crate::files;
use crate::history::EpochRecord;
use crate::network::Network;
use crate::written::written;

const DIRECTORY: &str = "checkpoint";
const PREFIX: &str = "epoch-";
const WEIGHTS: &str = "weights.bpk";
const OPTIMIZER: &str = "optimizer.bpk";
const STATE: &str = "state.json";

/// What makes two runs the same training: all else follows from it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RunId {
    /// The network.
    pub network: String,
    /// All random choices follow from it.
    pub seed: u64,
    /// Epochs for each optimizer.
    pub epochs: usize,
    /// Optimizers, one after the other.
    pub optimizers: Vec<Optimizer>,
    /// Images of one step.
    pub batch: usize,
    /// What does the arithmetic.
    pub backend: Backend,
    /// Devices that a step is split among.
    #[serde(default = "one", skip_serializing_if = "is_one")]
    pub devices: usize,
    /// Where the images come from.
    pub data: String,
    /// Training images used.
    pub train_images: usize,
    /// All that the network's table says, with the input and the classes of the data ([`NetworkSpec::identity`]). Empty in
    /// cards from before it was kept.
    ///
    /// [`NetworkSpec::identity`]: networks::NetworkSpec::identity
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub table: Vec<String>,
}

impl RunId {
    /// What makes this another training than `wanted`, in words; empty where it is the same. Tables are compared where both
    /// have one.
    pub fn differences(&self, wanted: &Self) -> String {
        let list = |optimizers: &[Optimizer]| optimizers.iter().map(written).collect::<Vec<_>>().join(", ");
        let fields = |run: &Self| {
            [
                ("network", run.network.clone()),
                ("seed", run.seed.to_string()),
                ("epochs", run.epochs.to_string()),
                ("optimizers", list(&run.optimizers)),
                ("batch", run.batch.to_string()),
                ("backend", run.backend.name().to_string()),
                ("devices", run.devices.to_string()),
                ("data", run.data.clone()),
                ("train_images", run.train_images.to_string()),
            ]
        };
        let pairs = fields(self).into_iter().zip(fields(wanted));
        let other = pairs.filter(|(found, wanted)| found != wanted);
        let mut words: Vec<String> =
            other.map(|((name, found), (_, wanted))| format!("{name} {found}, asked for {wanted}")).collect();
        if !self.table.is_empty() && !wanted.table.is_empty() {
            // What is compared by itself above is not said twice.
            let is_new = |line: &&String| !["epochs =", "optimizer =", "batch ="].iter().any(|f| line.starts_with(f));
            let lacks = |run: &Self, line: &String| !run.table.contains(line);
            let gone = self.table.iter().filter(is_new).filter(|line| lacks(wanted, line));
            words.extend(gone.map(|line| format!("its table has {line}")));
            let come = wanted.table.iter().filter(is_new).filter(|line| lacks(self, line));
            words.extend(come.map(|line| format!("asked for {line}")));
        }
        words.join("; ")
    }
}

fn one() -> usize {
    1
}

fn is_one(devices: &usize) -> bool {
    *devices == 1
}

/// Where a training stands.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct State {
    /// Which training.
    pub run: RunId,
    /// One record for every finished epoch.
    pub history: Vec<EpochRecord>,
    /// Time spent, all parts of an interrupted training together.
    pub seconds: f64,
}

/// A checkpoint that cannot be written or gone on from.
#[derive(Debug, thiserror::Error)]
pub enum CheckpointError {
    /// The file system.
    #[error("{}: cannot be written or read", path.display())]
    Io {
        /// The file or directory.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// The weights or the optimizer's memory, when they are written.
    #[error("{}: cannot be written; once it can be, go on with --resume", path.display())]
    Save {
        /// The checkpoint's directory.
        path: PathBuf,
        /// What Burn says.
        source: RecordError,
    },
    /// The weights or the optimizer's memory, when they are read.
    #[error("{}: is damaged; remove it to train from the start", path.display())]
    Record {
        /// The checkpoint's directory.
        path: PathBuf,
        /// What Burn says.
        source: RecordError,
    },
    /// `state.json` is not what was written.
    #[error("{}: is damaged; remove its directory to train from the start", path.display())]
    State {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        source: serde_json::Error,
    },
    /// It belongs to another training.
    #[error(
        "{}: belongs to another training ({differences}): repeat its options and its table, \
         choose another --out, or leave out --resume to train from the start", path.display()
    )]
    OtherRun {
        /// The checkpoint's directory.
        path: PathBuf,
        /// What is there, and what was asked for.
        differences: String,
    },
}

/// Removes whatever checkpoints an earlier training left in `out`.
pub fn clear(out: &Path) -> Result<(), CheckpointError> {
    let path = out.join(DIRECTORY);
    match fs::remove_dir_all(&path) {
        Err(source) if source.kind() != io::ErrorKind::NotFound => Err(CheckpointError::Io { path, source }),
        _ => Ok(()),
    }
}

/// Writes the state after an epoch and then removes the older ones.
pub fn save(out: &Path, state: &State, network: &Network, optimizer: &ModuleOptimizer) -> Result<(), CheckpointError> {
    let epoch = state.history.len();
    let path = out.join(DIRECTORY).join(format!("{PREFIX}{epoch:04}"));
    let building = files::temporary(&path);
    let io = |source| CheckpointError::Io { path: building.clone(), source };
    let record = |source| CheckpointError::Save { path: building.clone(), source };
    if building.exists() {
        fs::remove_dir_all(&building).map_err(io)?;
    }
    fs::create_dir_all(&building).map_err(io)?;
    network.clone().into_record().save(building.join(WEIGHTS)).map_err(record)?;
    optimizer.save(building.join(OPTIMIZER)).map_err(record)?;
    let json = serde_json::to_vec_pretty(state)
        .map_err(|source| CheckpointError::State { path: building.join(STATE), source })?;
    fs::write(building.join(STATE), json).map_err(io)?;
    fs::rename(&building, &path).map_err(io)?;
    for (older, directory) in list(out)? {
        if older < epoch {
            fs::remove_dir_all(&directory).map_err(io)?;
        }
    }
    Ok(())
}

/// Goes on from the last whole epoch of `run` in `out`. `None` where there is no checkpoint.
pub fn load(
    out: &Path,
    run: &RunId,
    network: Network,
    start: impl FnOnce(usize) -> ModuleOptimizer,
) -> Result<Option<(State, Network, ModuleOptimizer)>, CheckpointError> {
    let Some((_, path)) = list(out)?.into_iter().max() else {
        return Ok(None);
    };
    let file = path.join(STATE);
    let json = fs::read(&file).map_err(|source| CheckpointError::Io { path: file.clone(), source })?;
    let state: State = serde_json::from_slice(&json).map_err(|source| CheckpointError::State { path: file, source })?;
    // A checkpoint from before tables were kept cannot show that it belongs here.
    if state.run != *run {
        let mut differences = state.run.differences(run);
        if differences.is_empty() {
            differences = "it does not say what its table said".to_string();
        }
        return Err(CheckpointError::OtherRun { path, differences });
    }
    let record = |source| CheckpointError::Record { path: path.clone(), source };
    let network = network.try_load_file(path.join(WEIGHTS)).map_err(record)?;
    let optimizer = start(state.history.len()).load(path.join(OPTIMIZER)).map_err(record)?;
    Ok(Some((state, network, optimizer)))
}

/// The whole checkpoints in `out` with their epochs.
fn list(out: &Path) -> Result<Vec<(usize, PathBuf)>, CheckpointError> {
    let path = out.join(DIRECTORY);
    let entries = match fs::read_dir(&path) {
        Err(source) if source.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(source) => return Err(CheckpointError::Io { path, source }),
        Ok(entries) => entries,
    };
    let epoch = |path: &Path| path.file_name()?.to_str()?.strip_prefix(PREFIX)?.parse().ok();
    Ok(entries.flatten().filter_map(|entry| Some((epoch(&entry.path())?, entry.path()))).collect())
}
