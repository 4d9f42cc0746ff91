//! How large the gradient of every layer is in the first steps of a training, with ReLU and with sigmoid: `gradients.csv`.
//!
//! The notebook's deep sigmoid networks do not learn, and it blames vanishing gradients. Here the two activations meet on
//! equal terms: the same network, weights, images, dropout and optimizer, only the activation differs.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use burn::module::Param;
use burn::optim::GradientsParams;
use burn::tensor::Tensor;
use networks::{Activation, NetworkSpec};

use crate::backend::Backend;
use crate::data::{self, Data};
use crate::files;
use crate::network::Network;
use crate::optimizer::KerasOptimizer;
use crate::progress::Progress;
use crate::step::{Step, failed};
use crate::stepper::Stepper;
use crate::written::written;

/// File name in the directory of the models.
pub const FILE: &str = "gradients.csv";

/// First line of the file, before the layers' names.
const HEADER: &str = "network,activation,seed,step,loss";

/// The networks: as trained in the notebook with sigmoid, 3, 5 and 7 convolutions deep.
pub const NETWORKS: [&str; 3] = ["cnn3_k3_sigmoid", "cnn5_k3_sigmoid", "cnn7_k3_sigmoid"];

/// One step of one training.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    /// The network whose settings were used.
    pub network: String,
    /// The activation that it had.
    pub activation: Activation,
    /// All random choices follow from it.
    pub seed: u64,
    /// Counted from 1.
    pub step: usize,
    /// Mean cross-entropy of the batch.
    pub loss: f64,
    /// Layer and Euclidean norm of its kernel's gradient, from the first layer to the last.
    pub norms: Vec<(String, f64)>,
}

/// Trains `spec` with `activation` for `steps` steps.
pub fn measure(
    spec: &NetworkSpec,
    activation: Activation,
    seed: u64,
    steps: usize,
    backend: Backend,
    progress: &Progress,
) -> Result<Vec<Row>> {
    let spec = NetworkSpec { activation, ..spec.clone() };
    let images = Data::load(&spec, None, None)?.train;
    let stepper = Stepper::new(&backend.devices(&[])?);
    let mut network = Network::new(&spec, seed, stepper.main_device())?;
    let kind = KerasOptimizer(spec.optimizer[0]);
    let mut optimizer = kind.start();
    stepper.seed(seed);
    let order = data::epoch_order(images.len(), seed, 0);
    let bar = progress.bar(1, 1, steps);
    let mut rows = Vec::with_capacity(steps);
    for (step, indices) in order.chunks(spec.batch).take(steps).enumerate() {
        let load = |indices: &[usize], device: &_| data::batch(&images, indices.iter().copied(), device);
        let Step { loss, answers, gradients } = stepper.step(&network, indices, &load)?;
        let norms = norms(&network, &gradients)?;
        rows.push(Row { network: spec.name.clone(), activation, seed, step: step + 1, loss, norms });
        let right = indices.iter().zip(answers).filter(|&(&image, answer)| usize::from(images.label(image)) == answer);
        bar.step(loss, right.count() as f64 / indices.len() as f64);
        let rate = spec.learning_rate.unwrap_or(kind.default_rate()) * kind.decay(step);
        network = optimizer.step(rate, network, gradients);
    }
    Ok(rows)
}

/// All of [`NETWORKS`] with both activations and all `seeds`.
pub fn measure_all(seeds: &[u64], steps: usize, backend: Backend, progress: &Progress) -> Result<Vec<Row>> {
    let mut rows = Vec::new();
    for name in NETWORKS {
        let spec = networks::find(name)?;
        for activation in [Activation::Relu, Activation::Sigmoid] {
            for &seed in seeds {
                progress.line(&format!("{name} with {}, seed {seed}", written(&activation)));
                rows.extend(measure(&spec, activation, seed, steps, backend, progress)?);
            }
        }
    }
    Ok(rows)
}

fn norms(network: &Network, gradients: &GradientsParams) -> Result<Vec<(String, f64)>> {
    let mut norms = Vec::new();
    for (index, block) in network.blocks.iter().enumerate() {
        norms.push((format!("conv {}", index + 1), norm(&block.conv.weight, gradients)?));
    }
    for hidden in &network.hidden {
        norms.push(("dense".to_string(), norm(&hidden.dense.weight, gradients)?));
    }
    norms.push(("output".to_string(), norm(&network.output.weight, gradients)?));
    Ok(norms)
}

fn norm<const D: usize>(weights: &Param<Tensor<D>>, gradients: &GradientsParams) -> Result<f64> {
    let gradient = gradients.get::<D>(weights.id).context("a layer has no gradient")?;
    let data = gradient.try_into_data().map_err(failed)?;
    Ok(data.iter::<f64>().map(|value| value * value).sum::<f64>().sqrt())
}

/// Writes `rows` to `path`, whole or not at all.
pub fn save(rows: &[Row], path: &Path) -> std::io::Result<()> {
    let layers = layers(rows);
    let mut csv = format!("{HEADER},{}\n", layers.join(","));
    for row in rows {
        let Row { network, activation, seed, step, loss, norms } = row;
        let activation = written(activation);
        // Writing to a String cannot fail.
        let _ = write!(csv, "{network},{activation},{seed},{step},{loss:.5}");
        let norms: BTreeMap<&str, f64> = norms.iter().map(|(layer, norm)| (layer.as_str(), *norm)).collect();
        for layer in &layers {
            let _ = match norms.get(layer.as_str()) {
                Some(norm) => write!(csv, ",{norm:.4e}"),
                None => write!(csv, ","),
            };
        }
        csv.push('\n');
    }
    files::replace(path, csv.as_bytes())
}

/// All layers' names: those of the deepest network, whose order is that of all.
fn layers(rows: &[Row]) -> Vec<String> {
    let deepest = rows.iter().max_by_key(|row| row.norms.len());
    deepest.map_or(Vec::new(), |row| row.norms.iter().map(|(layer, _)| layer.clone()).collect())
}

/// Reads what [`save`] wrote.
pub fn load(path: &Path) -> Result<Vec<Row>> {
    let text = std::fs::read_to_string(path).with_context(|| format!("{}: cannot be read", path.display()))?;
    let mut lines = text.lines();
    let head = lines.next().and_then(|line| line.strip_prefix(HEADER));
    let head = head.with_context(|| format!("{}: its first line is not `{HEADER},...`", path.display()))?;
    let layers: Vec<&str> = head.split(',').skip(1).collect();
    let row = |(number, line): (usize, &str)| {
        parse(line, &layers).with_context(|| format!("{}, line {}", path.display(), number + 2))
    };
    lines.enumerate().map(row).collect()
}

fn parse(line: &str, layers: &[&str]) -> Result<Row> {
    let fields: Vec<&str> = line.split(',').collect();
    ensure!(fields.len() == 5 + layers.len(), "{} fields, not {}", fields.len(), 5 + layers.len());
    let named = layers.iter().zip(&fields[5..]).filter(|(_, norm)| !norm.is_empty());
    let norms = named.map(|(layer, norm)| Ok((layer.to_string(), norm.parse()?))).collect::<Result<_>>()?;
    Ok(Row {
        network: fields[0].to_string(),
        activation: serde_json::from_value(fields[1].into())?,
        seed: fields[2].parse()?,
        step: fields[3].parse()?,
        loss: fields[4].parse()?,
        norms,
    })
}

/// The rows of one network with one activation.
pub fn of<'a>(rows: &'a [Row], network: &str, activation: Activation) -> Vec<&'a Row> {
    rows.iter().filter(|row| row.network == network && row.activation == activation).collect()
}

/// The middle of `values`; NaN where there are none.
pub fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_saved_is_loaded() {
        let row = |network: &str, activation, layers: &[&str]| Row {
            network: network.to_string(),
            activation,
            seed: 3,
            step: 7,
            loss: 2.25,
            norms: layers.iter().map(|layer| (layer.to_string(), 0.125)).collect(),
        };
        let rows = [
            row("a", Activation::Relu, &["conv 1", "output"]),
            row("b", Activation::Sigmoid, &["conv 1", "conv 2", "output"]),
        ];
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(FILE);
        save(&rows, &path).unwrap();
        assert_eq!(load(&path).unwrap(), rows);
        std::fs::write(&path, format!("{HEADER},conv 1\na,relu,1,x,2.0,1.0\n")).unwrap();
        assert!(format!("{:#}", load(&path).unwrap_err()).contains("line 2"));
    }

    #[test]
    fn both_activations_start_from_the_same_weights_and_images() {
        let spec = NetworkSpec { batch: 4, ..networks::find("cnn5_k3_sigmoid").unwrap() };
        let run = |activation| measure(&spec, activation, 1, 2, Backend::Flex, &Progress::Quiet).unwrap();
        let (relu, sigmoid) = (run(Activation::Relu), run(Activation::Sigmoid));
        for rows in [&relu, &sigmoid] {
            assert_eq!(rows.iter().map(|row| row.step).collect::<Vec<_>>(), [1, 2]);
            let layers: Vec<&str> = rows[0].norms.iter().map(|(layer, _)| layer.as_str()).collect();
            assert_eq!(layers, ["conv 1", "conv 2", "conv 3", "conv 4", "conv 5", "dense", "output"]);
            assert!(rows.iter().flat_map(|row| &row.norms).all(|(_, norm)| *norm > 0.0));
        }
        assert_ne!(relu[0].norms, sigmoid[0].norms);
        assert_eq!(run(Activation::Relu), relu);
    }
}
