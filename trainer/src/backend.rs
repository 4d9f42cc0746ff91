//! What does the arithmetic: Burn devices by name and number. Each backend is a cargo feature.

use burn::tensor::{Device, DeviceType};
use serde::{Deserialize, Serialize};

/// A Burn backend.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Backend {
    /// Any CPU, nothing to install.
    #[default]
    Flex,
    /// Any GPU with Vulkan, Metal or DirectX 12.
    Wgpu,
    /// NVIDIA GPUs.
    Cuda,
    /// libtorch, on the CPU where no devices are named.
    Tch,
}

/// A backend or device that is not there.
#[derive(Debug, thiserror::Error)]
pub enum BackendError {
    /// Not built in.
    #[error(
        "this program was built without the backend `{0}`: build with `cargo build --release -p trainer --features {0}`"
    )]
    Missing(&'static str),
    /// No device at all.
    #[error("the backend `{backend}` finds no device here: {advice}")]
    NoDevice {
        /// The backend's name.
        backend: &'static str,
        /// What to install.
        advice: &'static str,
    },
    /// Fewer devices than asked for.
    #[error("the backend `{backend}` has no device {index}: it finds {found} here, counted from 0")]
    NoSuchDevice {
        /// The backend's name.
        backend: &'static str,
        /// The device asked for.
        index: usize,
        /// How many there are.
        found: usize,
    },
    /// Several devices without the code for it.
    #[error(
        "this program was built without training on several devices: \
         build with `cargo build --release -p trainer --features several-devices` and the backend's feature"
    )]
    OnlyOne,
}

impl Backend {
    /// The name used on the command line and as cargo feature.
    pub fn name(self) -> &'static str {
        match self {
            Self::Flex => "flex",
            Self::Wgpu => "wgpu",
            Self::Cuda => "cuda",
            Self::Tch => "tch",
        }
    }

    /// The devices with these numbers, or the one that the backend chooses where there are none. Without autodiff.
    pub fn devices(self, numbers: &[usize]) -> Result<Vec<Device>, BackendError> {
        let backend = self.name();
        let (all, chosen) = self.known()?;
        if numbers.len() > 1 && !cfg!(feature = "several-devices") {
            return Err(BackendError::OnlyOne);
        }
        if numbers.is_empty() {
            let chosen = chosen.ok_or(BackendError::NoDevice { backend, advice: self.advice() })?;
            return Ok(vec![chosen]);
        }
        let find = |&index: &usize| {
            all.get(index).cloned().ok_or(BackendError::NoSuchDevice { backend, index, found: all.len() })
        };
        numbers.iter().map(find).collect()
    }

    /// The backend's numbered devices, and the one that it chooses.
    fn known(self) -> Result<(Vec<Device>, Option<Device>), BackendError> {
        /// On a backend of GPUs: nothing to choose where there is none.
        #[cfg(any(feature = "wgpu", feature = "cuda"))]
        fn gpus(kind: DeviceType, chosen: fn() -> Device) -> (Vec<Device>, Option<Device>) {
            let all = Device::enumerate(kind).into_vec();
            let chosen = (!all.is_empty()).then(chosen);
            (all, chosen)
        }
        match self {
            #[cfg(feature = "flex")]
            Self::Flex => Ok((Device::enumerate(DeviceType::Flex).into_vec(), Some(Device::flex()))),
            #[cfg(feature = "wgpu")]
            Self::Wgpu => Ok(gpus(DeviceType::Wgpu, || Device::wgpu(burn::tensor::DeviceKind::DefaultDevice))),
            #[cfg(feature = "cuda")]
            Self::Cuda => Ok(gpus(DeviceType::Cuda, || Device::cuda(0))),
            #[cfg(feature = "tch")]
            #[allow(deprecated)]
            // Burn 0.22 discourages libtorch; on a CPU it is still twice as fast as flex.
            Self::Tch => Ok((Device::enumerate(DeviceType::LibTorch).into_vec(), Some(Device::libtorch()))),
            #[allow(unreachable_patterns)] // With all features nothing is missing.
            missing => Err(BackendError::Missing(missing.name())),
        }
    }

    /// What a machine without a device of this backend lacks.
    fn advice(self) -> &'static str {
        match self {
            Self::Wgpu => {
                "install the graphics card's Vulkan driver (on Debian, `mesa-vulkan-drivers` has most, and one that \
                 needs no card), or take `--backend flex`"
            }
            Self::Cuda => "install NVIDIA's driver, or take `--backend wgpu` or `--backend flex`",
            Self::Flex | Self::Tch => "take `--backend flex`",
        }
    }
}
