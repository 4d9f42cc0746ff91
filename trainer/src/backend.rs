//! What does the arithmetic: a Burn device by name. Each is a cargo feature.

use burn::tensor::Device;
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
    /// libtorch on the CPU.
    Tch,
}

/// A backend that this program was built without.
#[derive(Debug, thiserror::Error)]
#[error(
    "this program was built without the backend `{0}`: build with `cargo build --release -p trainer --features {0}`"
)]
pub struct BackendMissing(&'static str);

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

    /// The backend's first device, without autodiff.
    pub fn device(self) -> Result<Device, BackendMissing> {
        match self {
            #[cfg(feature = "flex")]
            Self::Flex => Ok(Device::flex()),
            #[cfg(feature = "wgpu")]
            Self::Wgpu => Ok(Device::wgpu(burn::tensor::DeviceKind::DefaultDevice)),
            #[cfg(feature = "cuda")]
            Self::Cuda => Ok(Device::cuda(0)),
            #[cfg(feature = "tch")]
            #[allow(deprecated)]
            // Burn 0.22 discourages libtorch; on a CPU it is still twice as fast as flex.
            Self::Tch => Ok(Device::libtorch()),
            #[allow(unreachable_patterns)] // With all features nothing is missing.
            missing => Err(BackendMissing(missing.name())),
        }
    }
}
