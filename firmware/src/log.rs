//! `defmt` where the feature is on, nothing where it is off.

/// Logs what the application did.
#[cfg(feature = "defmt")]
macro_rules! debug {
    ($($argument:tt)*) => { ::defmt::debug!($($argument)*) };
}

/// Logs what the application did.
#[cfg(not(feature = "defmt"))]
macro_rules! debug {
    ($text:literal $(, $argument:expr)*) => {{ $(let _ = &$argument;)* }};
}

pub(crate) use debug;
