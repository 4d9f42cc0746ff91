//! Finds out which kernels the target can run.
//!
//! `cfg(target_feature = "dsp")` is never set on stable Rust, so the target's name decides.
//! `THUMBNET_KERNELS=portable` leaves all fast kernels out, to measure or to debug.

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rustc-check-cfg=cfg(thumbnet_assembly, thumbnet_dsp, thumbnet_helium, thumbnet_mla, thumbnet_v8m)");
    println!("cargo:rerun-if-env-changed=THUMBNET_KERNELS");
    if std::env::var("THUMBNET_KERNELS").is_ok_and(|family| family == "portable") {
        return;
    }
    let target = std::env::var("TARGET").unwrap_or_default();
    // ARMv7E-M has the DSP extension; so has every ARMv8-M mainline core with this name that we know a board of.
    if target.starts_with("thumbv7em-") || target.starts_with("thumbv8m.main-") {
        println!("cargo:rustc-cfg=thumbnet_assembly");
        println!("cargo:rustc-cfg=thumbnet_dsp");
    }
    // There the extension is optional, and the assembler has to be told of it.
    if target.starts_with("thumbv8m.main-") {
        println!("cargo:rustc-cfg=thumbnet_v8m");
        if has_helium() {
            println!("cargo:rustc-cfg=thumbnet_helium");
        }
    }
    // ARMv7-M: the Cortex-M3, multiplications of one pair at a time.
    if target.starts_with("thumbv7m-") {
        println!("cargo:rustc-cfg=thumbnet_assembly");
        println!("cargo:rustc-cfg=thumbnet_mla");
    }
}

/// Whether the code is built for a core with Helium, by `-C target-cpu`: no target has a name of its own for them.
fn has_helium() -> bool {
    const CORES: [&str; 3] = ["cortex-m52", "cortex-m55", "cortex-m85"];
    let flags = std::env::var("CARGO_ENCODED_RUSTFLAGS").unwrap_or_default();
    // Cargo separates the flags by this; `-C` and its value may be one flag or two. The last one counts.
    let mut flags = flags.split('\x1f').rev();
    let cpu = flags.find_map(|flag| flag.trim_start_matches("-C").strip_prefix("target-cpu="));
    cpu.is_some_and(|cpu| CORES.contains(&cpu))
}
