//! The models that are measured: every network of `trainer/networks.toml`, compiled for every goal.
//!
//! A network that ships is measured as it ships for the goal that its file was compiled for, and compiled from
//! its ONNX file for the others. A network that does not has random weights.

use std::fs;
use std::path::Path;
use std::sync::LazyLock;

use ::networks::NetworkSpec;
use anyhow::{Context, Result};
use dataset::{Dataset, Split};
use thumbnet_compiler::calibrate::{Method, measure};
use thumbnet_compiler::quantize::{QuantizedNetwork, quantize};
use thumbnet_compiler::{Core, Optimize, Options, Outputs, Scales, compile, overflow, pack};

use crate::networks::{self, with_random_weights};
use crate::shipped;

/// Few: they decide about scales, not about instructions or memory.
const CALIBRATION_IMAGES: usize = 8;

static TRAINING: LazyLock<Dataset> = LazyLock::new(|| {
    Dataset::load(&shipped::root().join("trainer/data/mnist"), Split::Train).unwrap_or_else(|error| panic!("{error}"))
});

/// A model file and where it comes from.
#[derive(Clone)]
pub struct Compiled {
    /// What it was compiled for: `speed`, `flash` or `ram`.
    pub optimize: String,
    /// Whether the weights are trained ones.
    pub trained: bool,
    /// The file.
    pub tnet: Vec<u8>,
}

impl Compiled {
    /// A file that the compiler made, with the ONNX file that it writes beside it.
    pub fn read(path: &Path) -> Result<Self> {
        let tnet = fs::read(path).with_context(|| format!("reading {}", path.display()))?;
        Ok(Self { optimize: shipped::optimize(path)?, trained: true, tnet })
    }
}

/// A network that is measured.
pub struct Measured {
    name: String,
    trained: bool,
    integers: QuantizedNetwork,
}

impl Measured {
    /// The network, quantized.
    pub fn new(spec: &NetworkSpec) -> Result<Self> {
        let onnx = shipped::path(&spec.name, "model.onnx");
        let trained = onnx.exists();
        let integers = if trained {
            let onnx = fs::read(&onnx).with_context(|| format!("reading {}", onnx.display()))?;
            let options = Options { calibration_images: CALIBRATION_IMAGES, ..Options::named(&spec.name) };
            compile(&onnx, &TRAINING, &options)?.quantized
        } else {
            random(spec)?
        };
        Ok(Self { name: spec.name.clone(), trained, integers })
    }

    /// Its model files for a core, one for every goal.
    pub fn compiled(&self, core: Core) -> Result<Vec<Compiled>> {
        let mut models = Vec::new();
        for optimize in Optimize::ALL {
            let tnet = pack::pack(&self.integers, &self.name, optimize, core)?;
            models.push(Compiled { optimize: optimize.name().into(), trained: self.trained, tnet });
        }
        let file = shipped::path(&self.name, "model.tnet");
        if file.exists() {
            let shipped = Compiled::read(&file)?;
            if let Some(model) = models.iter_mut().find(|model| model.optimize == shipped.optimize) {
                *model = shipped;
            }
        }
        Ok(models)
    }
}

/// The network with random weights, quantized.
pub fn random(spec: &NetworkSpec) -> Result<QuantizedNetwork> {
    let network = with_random_weights(spec)?;
    let images: Vec<Vec<u8>> = (0..CALIBRATION_IMAGES).map(|index| networks::input(network.input, index)).collect();
    let images: Vec<&[u8]> = images.iter().map(Vec::as_slice).collect();
    let measurements = measure(&network, &images, &|| {});
    let ranges: Vec<_> = measurements.iter().map(|measurement| measurement.range(Method::MinMax)).collect();
    let quantized = quantize(&network, &ranges, Outputs::Auto, Scales::PerChannel)?;
    overflow::prove(&quantized)?;
    Ok(quantized)
}
