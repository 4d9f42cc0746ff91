//! A step on several devices: Burn's multi-device step, which is what its own learner uses.
//!
//! Every device gets a copy of the network and a part of the batch; the gradients are added up on the first device. Batch
//! normalization sees its device's part only, so the result depends on the number of devices.

use anyhow::{Result, anyhow};
use burn::data::dataloader::{DataLoaderIterator, Progress};
use burn::data::dataset::DatasetError;
use burn::optim::{GradientsAccumulator, GradientsParams};
use burn::tensor::{Device, ExecutionError};
use burn::train::train::MultiDevicesTrainStep;
use burn::train::{InferenceStep, ItemLazy, TrainOutput, TrainStep};

use crate::data::Batch;
use crate::evaluate::{self, BatchScore};
use crate::network::Network;
use crate::step::{Step, failed};

/// One thread for each device.
pub struct Several {
    devices: Vec<Device>,
    step: MultiDevicesTrainStep<Network>,
}

/// A device's part of a batch.
pub struct Part {
    batch: Batch,
    /// Which one, counted from 0.
    number: usize,
    /// Share of the whole batch.
    share: f64,
}

/// What a device measured on its part.
pub struct Measured {
    number: usize,
    /// Loss times share, and answers.
    result: Result<(f64, Vec<usize>), ExecutionError>,
}

impl Several {
    /// For `devices` with autodiff.
    pub fn new(devices: &[Device]) -> Self {
        Self { devices: devices.to_vec(), step: MultiDevicesTrainStep::new(devices) }
    }

    /// As [`crate::stepper::Stepper::step`].
    pub fn step(
        &self,
        network: &Network,
        indices: &[usize],
        load: &dyn Fn(&[usize], &Device) -> Batch,
    ) -> Result<Step> {
        let mut parts = indices.chunks(indices.len().div_ceil(self.devices.len()).max(1)).enumerate();
        let mut loader = |device: &Device| {
            let part = parts.next().map(|(number, part)| {
                let share = part.len() as f64 / indices.len() as f64;
                Part { batch: load(part, device), number, share }
            });
            Box::new(Once(part)) as Box<dyn DataLoaderIterator<Part>>
        };
        let mut loaders: Vec<_> = self.devices.iter().map(&mut loader).collect();
        let (mut outputs, _) = self.step.step(&mut loaders, network).map_err(|error| anyhow!("{error}"))?;
        // Sums of floats depend on their order.
        outputs.sort_by_key(|output| output.output.item.number);
        let mut gradients = GradientsAccumulator::new();
        let (mut loss, mut answers) = (0.0, Vec::with_capacity(indices.len()));
        for TrainOutput { grads, item } in outputs.into_iter().map(|output| output.output) {
            let (part_loss, part_answers) = item.result.map_err(failed)?;
            loss += part_loss;
            answers.extend(part_answers);
            gradients.accumulate(network, grads.to_device(&self.devices[0], network));
        }
        Ok(Step { loss, answers, gradients: gradients.grads() })
    }
}

impl Part {
    /// Runs `network` over the part; the loss is multiplied with its share, so that the parts' sum is the batch's mean.
    fn run(&self, network: &Network) -> Result<(f64, BatchScore), ExecutionError> {
        let BatchScore { loss, answers } = evaluate::forward(network, &self.batch)?;
        let loss = loss * self.share;
        Ok((evaluate::scalar(&loss)?, BatchScore { loss, answers }))
    }
}

impl TrainStep for Network {
    type Input = Part;
    type Output = Measured;

    fn step(&self, part: Part) -> TrainOutput<Measured> {
        let number = part.number;
        match part.run(self) {
            Ok((loss, BatchScore { loss: carrier, answers })) => {
                TrainOutput::new(self, carrier.backward(), Measured { number, result: Ok((loss, answers)) })
            }
            Err(error) => TrainOutput { grads: GradientsParams::new(), item: Measured { number, result: Err(error) } },
        }
    }
}

// Burn asks for it of every network that it trains.
impl InferenceStep for Network {
    type Input = Part;
    type Output = Measured;

    fn step(&self, part: Part) -> Measured {
        let result = part.run(self).map(|(loss, score)| (loss, score.answers));
        Measured { number: part.number, result }
    }
}

impl ItemLazy for Measured {
    /// Its values are on the host.
    fn sync(self) -> Result<Self, ExecutionError> {
        Ok(self)
    }
}

/// A loader of the one part that a device gets in a step.
struct Once(Option<Part>);

impl Iterator for Once {
    type Item = Result<Part, DatasetError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.0.take().map(Ok)
    }
}

impl DataLoaderIterator<Part> for Once {
    fn progress(&self) -> Progress {
        Progress::new(1, 1, None)
    }
}
