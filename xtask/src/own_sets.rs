//! Sets of one's own, from pixels to a model: other numbers of classes, other sizes, networks with branches.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};

use crate::shell::{built, run, target};

/// A set made here: each class is a pattern of its own with noise.
struct Set {
    name: &'static str,
    network: &'static str,
    classes: usize,
    size: usize,
    /// The number of the first class: EMNIST's letters count from 1.
    first: usize,
}

const SETS: [Set; 3] = [
    Set { name: "balanced", network: "residual", classes: 47, size: 28, first: 0 },
    Set { name: "letters", network: "separable", classes: 26, size: 28, first: 1 },
    Set { name: "larger", network: "nano", classes: 5, size: 32, first: 0 },
];
/// Some networks hold 5,000 images out.
const TRAINING_IMAGES: usize = 5_200;
const TEST_IMAGES: usize = 100;
/// Enough for a few steps.
const LIMIT: &str = "200";

/// Trains a network on each set for a few steps, compiles it and evaluates the model.
pub fn check() -> Result<()> {
    for set in &SETS {
        let directory = target().join("own-sets").join(set.name);
        fs::create_dir_all(&directory).with_context(|| format!("making {}", directory.display()))?;
        set.write(&directory, "train", TRAINING_IMAGES)?;
        set.write(&directory, "t10k", TEST_IMAGES)?;
        let [data, onnx, tnet] =
            ["", "model.onnx", "model.tnet"].map(|file| directory.join(file).display().to_string());
        let train = ["train", set.network, "--data", &data, "--limit", LIMIT, "--epochs", "1", "--out", &data];
        run(&mut built("trainer", &train))?;
        let compile =
            ["compile", &onnx, "--calibration", &data, "--input", "0..1", "--calibration-images", "50", "--out", &tnet];
        run(&mut built("thumbnet", &compile))?;
        run(&mut built("thumbnet", &["eval", &tnet, "--data", &data]))?;
    }
    Ok(())
}

impl Set {
    /// Writes images and labels in the IDX format.
    fn write(&self, directory: &Path, part: &str, count: usize) -> Result<()> {
        let words = |words: &[usize]| words.iter().flat_map(|&word| (word as u32).to_be_bytes()).collect::<Vec<u8>>();
        let class = |image: usize| image % self.classes;
        let mut random = 1u32;
        let mut noise = || {
            random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            random >> 24
        };
        let mut images = words(&[0x803, count, self.size, self.size]);
        for image in 0..count {
            for pixel in 0..self.size * self.size {
                // Blocks of ink, other ones for each class.
                let block = pixel / self.size / 4 * 8 + pixel % self.size / 4;
                let is_ink = (block * 7 + class(image) * block * block).is_multiple_of(3);
                images.push((noise() / 4 + if is_ink { 190 } else { 0 }) as u8);
            }
        }
        let labels = (0..count).map(|image| (class(image) + self.first) as u8);
        let labels = [words(&[0x801, count]), labels.collect()].concat();
        for (kind, bytes) in [("images-idx3-ubyte", images), ("labels-idx1-ubyte", labels)] {
            let file = directory.join(format!("{part}-{kind}"));
            fs::write(&file, bytes).with_context(|| format!("writing {}", file.display()))?;
        }
        Ok(())
    }
}
