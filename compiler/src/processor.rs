//! The processor cores that models are compiled for.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// A processor core. [`Optimize::Speed`](crate::Optimize::Speed) makes a model fast on it, and all others give the
/// same answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Core {
    name: &'static str,
    has_helium: bool,
}

impl Core {
    const ALL: [Self; 11] = [
        Self::new("Cortex-M0", false),
        Self::new("Cortex-M0+", false),
        Self::new("Cortex-M3", false),
        Self::new("Cortex-M4", false),
        Self::new("Cortex-M7", false),
        Self::new("Cortex-M23", false),
        Self::new("Cortex-M33", false),
        Self::new("Cortex-M35P", false),
        Self::new("Cortex-M52", true),
        Self::new("Cortex-M55", true),
        Self::new("Cortex-M85", true),
    ];

    const fn new(name: &'static str, has_helium: bool) -> Self {
        Self { name, has_helium }
    }

    /// Whether it has Arm's vector instructions for microcontrollers.
    pub fn has_helium(self) -> bool {
        self.has_helium
    }
}

impl Default for Core {
    /// The Cortex-M4. What is chosen for it is chosen for every core without Helium.
    fn default() -> Self {
        Self::new("Cortex-M4", false)
    }
}

impl fmt::Display for Core {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name)
    }
}

impl FromStr for Core {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        let known = || Self::ALL.map(|core| core.name).join(", ");
        let found = Self::ALL.into_iter().find(|core| core.name.eq_ignore_ascii_case(name));
        found.ok_or_else(|| format!("there is no core {name:?} among {}", known()))
    }
}

impl<'de> Deserialize<'de> for Core {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

impl Serialize for Core {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::Core;

    #[test]
    fn names_are_taken_in_any_case_and_unknown_ones_refused_with_a_list() {
        assert_eq!("cortex-m55".parse::<Core>().map(|core| core.to_string()), Ok("Cortex-M55".into()));
        assert_eq!(Core::default().to_string().parse(), Ok(Core::default()));
        let error = "Cortex-A53".parse::<Core>().unwrap_err();
        assert!(error.contains("Cortex-A53") && error.contains("Cortex-M0+"), "{error}");
    }
}
