//! Chooses the family of kernels. The first of these that applies decides:
//!
//! 1. `THUMBNET_KERNELS`: `portable`, `mla`, `dsp` or `helium`, whatever the core is thought to have.
//! 2. The core that `-C target-cpu` names.
//! 3. What every core of the target has. On `thumbv8m.main-*` that is no DSP extension: silicon may leave it out.
//!
//! `cfg(target_feature = "dsp")` is never set on stable Rust, so names decide.

use std::env;

/// The families, by what a core needs to have for them. Each has the instructions of those before it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Family {
    /// Nothing.
    Portable,
    /// ARMv7-M: multiplications of one pair at a time.
    Mla,
    /// The DSP extension: two at a time.
    Dsp,
    /// Helium: vectors.
    Helium,
}

/// What `THUMBNET_KERNELS` takes.
const NAMES: [(&str, Family); 4] =
    [("portable", Family::Portable), ("mla", Family::Mla), ("dsp", Family::Dsp), ("helium", Family::Helium)];
/// The cores with ARMv8-M that have more than every one has, by the names of `-C target-cpu`.
const CORES: [(&str, Family); 6] = [
    ("cortex-m33", Family::Dsp),
    ("cortex-m35p", Family::Dsp),
    ("star-mc1", Family::Dsp),
    ("cortex-m52", Family::Helium),
    ("cortex-m55", Family::Helium),
    ("cortex-m85", Family::Helium),
];

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-env-changed=THUMBNET_KERNELS");
    println!(
        "cargo::rustc-check-cfg=cfg(thumbnet_assembly, thumbnet_dsp, thumbnet_helium, thumbnet_mla, thumbnet_v8m)"
    );
    let target = env::var("TARGET").unwrap_or_default();
    match choose(&target) {
        Ok(family) => configure(family, &target),
        Err(error) => println!("cargo::error={error}"),
    }
}

fn choose(target: &str) -> Result<Family, String> {
    let [least, most] = bounds(target);
    let Some(name) = env::var("THUMBNET_KERNELS").ok().filter(|name| !name.is_empty()) else {
        let named = named_core().and_then(|core| named(&CORES, &core));
        return Ok(named.map_or(least, |family| family.clamp(least, most)));
    };
    match named(&NAMES, &name) {
        Some(family) if family <= most => Ok(family),
        Some(_) => Err(format!("THUMBNET_KERNELS={name}: no {target} has the instructions for these kernels")),
        None => Err(format!("THUMBNET_KERNELS={name}: it takes portable, mla, dsp or helium")),
    }
}

/// What every core of a target has, and what some have.
fn bounds(target: &str) -> [Family; 2] {
    match target.split('-').next() {
        Some("thumbv7m") => [Family::Mla; 2],
        Some("thumbv7em") => [Family::Dsp; 2],
        Some("thumbv8m.main") => [Family::Mla, Family::Helium],
        _ => [Family::Portable; 2],
    }
}

/// The core that the code is built for by `-C target-cpu`, if it was not told to do without the extension.
fn named_core() -> Option<String> {
    let flags = env::var("CARGO_ENCODED_RUSTFLAGS").unwrap_or_default();
    // Cargo separates the flags by this; `-C` and its value may be one flag or two. The last one counts.
    let flags = || flags.split('\x1f').rev().map(|flag| flag.trim_start_matches("-C").trim_start());
    if flags().any(|flag| flag.starts_with("target-feature=") && flag.contains("-dsp")) {
        return None;
    }
    flags().find_map(|flag| flag.strip_prefix("target-cpu=")).map(String::from)
}

fn named(families: &[(&str, Family)], name: &str) -> Option<Family> {
    families.iter().find(|(known, _)| *known == name).map(|&(_, family)| family)
}

fn configure(family: Family, target: &str) {
    let set = |cfg: &str| println!("cargo::rustc-cfg=thumbnet_{cfg}");
    if family >= Family::Mla {
        set("assembly");
    }
    if family == Family::Mla {
        set("mla");
    }
    if family >= Family::Dsp {
        set("dsp");
        // There the extension is optional, and the assembler has to be told of it.
        if target.starts_with("thumbv8m") {
            set("v8m");
        }
    }
    if family == Family::Helium {
        set("helium");
    }
}
