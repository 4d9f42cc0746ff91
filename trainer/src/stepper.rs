//! Training steps up to the gradients, on one device or split among several.

use anyhow::Result;
use burn::optim::GradientsParams;
use burn::tensor::Device;

use crate::data::Batch;
use crate::evaluate;
use crate::network::Network;
#[cfg(feature = "several-devices")]
use crate::several::Several;
use crate::step::{Step, failed};

/// Takes steps on its devices.
pub struct Stepper {
    /// With autodiff; at least one.
    devices: Vec<Device>,
    #[cfg(feature = "several-devices")]
    several: Option<Several>,
}

impl Stepper {
    /// For `devices` without autodiff, of which there is at least one.
    pub fn new(devices: &[Device]) -> Self {
        let devices: Vec<Device> = devices.iter().map(|device| device.clone().autodiff()).collect();
        Self {
            #[cfg(feature = "several-devices")]
            several: (devices.len() > 1).then(|| Several::new(&devices)),
            devices,
        }
    }

    /// The device that the network and the optimizer lie on.
    pub fn main_device(&self) -> &Device {
        &self.devices[0]
    }

    /// Starts the backend's random stream (dropout).
    pub fn seed(&self, seed: u64) {
        self.devices.iter().for_each(|device| device.seed(seed));
    }

    /// Loss and gradients of `network` for the images `indices`, which `load` brings onto a device.
    pub fn step(
        &self,
        network: &Network,
        indices: &[usize],
        load: &dyn Fn(&[usize], &Device) -> Batch,
    ) -> Result<Step> {
        #[cfg(feature = "several-devices")]
        if let Some(several) = &self.several {
            return several.step(network, indices, load);
        }
        let result = evaluate::forward(network, &load(indices, self.main_device())).map_err(failed)?;
        let loss = evaluate::scalar(&result.loss).map_err(failed)?;
        let gradients = GradientsParams::from_grads(result.loss.backward(), network);
        Ok(Step { loss, answers: result.answers, gradients })
    }
}
