//! The models in `models/` and the images that they are tested with.

use std::path::{Path, PathBuf};
use std::sync::LazyLock;
use std::{env, fs, thread};

use anyhow::{Context, Result};
use dataset::{Dataset, Split};
use thumbnet::{Model, Network};
use tract_onnx::prelude::Framework;

/// The 10,000 MNIST test images.
pub static TEST_IMAGES: LazyLock<Dataset> = LazyLock::new(|| {
    Dataset::load(&root().join("trainer/data/mnist"), Split::Test).unwrap_or_else(|error| panic!("{error}"))
});

/// The directory of the workspace.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("host-tests is in the workspace").to_path_buf()
}

/// `models/`, or the directory that `THUMBNET_MODELS` names.
fn models() -> PathBuf {
    root().join(env::var_os("THUMBNET_MODELS").unwrap_or_else(|| "models".into()))
}

/// A file of a shipped model.
pub fn path(name: &str, file: &str) -> PathBuf {
    models().join(name).join(file)
}

/// Every `models/NAME/model.tnet`, sorted.
pub fn all() -> Result<Vec<PathBuf>> {
    let directory = models();
    let entries = fs::read_dir(&directory).with_context(|| format!("reading {}", directory.display()))?;
    let files = entries.flatten().map(|entry| entry.path().join("model.tnet"));
    let mut files: Vec<_> = files.filter(|file| file.exists()).collect();
    files.sort();
    Ok(files)
}

/// The names of all models that ship, sorted.
pub fn names() -> Result<Vec<String>> {
    let name = |file: PathBuf| {
        let directory = file.parent().and_then(Path::file_name);
        directory.map(|name| name.to_string_lossy().into_owned()).context("a model has no directory")
    };
    all()?.into_iter().map(name).collect()
}

/// The bytes of `models/NAME/model.tnet`.
pub fn read(name: &str) -> Result<Vec<u8>> {
    let path = path(name, "model.tnet");
    let again = "thumbnet compile MODEL.onnx --calibration trainer/data/mnist --out MODEL.tnet";
    fs::read(&path).with_context(|| format!("{} cannot be read; `{again}` makes it", path.display()))
}

/// What a model was compiled for, as the compiler notes it in the ONNX file beside it.
pub fn optimize(model: &Path) -> Result<String> {
    let path = model.with_extension("qdq.onnx");
    let onnx = tract_onnx::onnx().proto_model_for_path(&path).with_context(|| format!("reading {}", path.display()))?;
    let note = onnx.metadata_props.into_iter().find(|property| property.key == "thumbnet.optimize");
    Ok(note.with_context(|| format!("{} does not say what it was compiled for", path.display()))?.value)
}

/// The core's logits for these images, on all processors, in the order of the images.
pub fn core_logits(model: &Model<'_>, images: &Dataset) -> Vec<Vec<i32>> {
    in_parallel(images.len(), |range| {
        let mut arena = vec![0; model.arena_len()];
        let mut network = Network::new(model, &mut arena).expect("the arena has the model's length");
        let mut logits = |image| {
            let prediction = network.classify(images.image(image)).expect("the image has the model's size");
            prediction.logits().iter().collect()
        };
        range.map(&mut logits).collect()
    })
}

/// Splits `0..count` among the processors and joins what `work` returns for each part, in order.
pub fn in_parallel<T: Send>(count: usize, work: impl Fn(std::ops::Range<usize>) -> Vec<T> + Sync) -> Vec<T> {
    let part = count.div_ceil(thread::available_parallelism().map_or(1, usize::from)).max(1);
    thread::scope(|scope| {
        let work = &work;
        let parts: Vec<_> =
            (0..count).step_by(part).map(|start| scope.spawn(move || work(start..count.min(start + part)))).collect();
        parts.into_iter().flat_map(|part| part.join().expect("a part of the work panicked")).collect()
    })
}

/// The class with the largest logit, the first one where several are equal.
pub fn class<T: PartialOrd + Copy>(logits: &[T]) -> usize {
    let better = |best: usize, class: usize| if logits[class] > logits[best] { class } else { best };
    (0..logits.len()).fold(0, better)
}
