//! Puts board and model together: checks that they fit each other, and writes what `main.rs` includes.

#[path = "build/boards.rs"]
mod boards;
#[path = "build/memory.rs"]
mod memory;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::{env, fs};

use protocol::{MAX_NAME, reply_len, request_len};
use thumbnet::Model;
use thumbnet::format::NAME_LEN;

use boards::Board;
use memory::{Largest, Needs};

/// The model and the board of a build that names none.
const DEFAULT_MODEL: &str = "../models/nano/model.tnet";
const DEFAULT_BOARD: &str = "mps2-an386";

/// In place of a model's path: the image takes whatever model is in the board's memory region MODEL when it boots.
const EXTERNAL: &str = "external";

/// Bytes of an image for a chip of Espressif's in flash.
const ESP_SIZES: &str = "__thumbnet_flash_bytes = \
    SIZEOF(.text) + SIZEOF(.rodata) + SIZEOF(.trap) + SIZEOF(.rwtext) + SIZEOF(.data);";

const _: () = assert!(NAME_LEN <= MAX_NAME);

fn main() -> ExitCode {
    println!("cargo::rerun-if-env-changed=THUMBNET_MODEL");
    println!("cargo::rerun-if-env-changed=THUMBNET_BOARD");
    println!("cargo::rustc-check-cfg=cfg(thumbnet_external_model)");
    println!("cargo::rustc-check-cfg=cfg(thumbnet_flashed)");
    // On the host there is no image, only the application and its tests.
    if variable("CARGO_CFG_TARGET_OS").as_deref() != Ok("none") {
        return ExitCode::SUCCESS;
    }
    match generate() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            println!("cargo::error={}", error.replace('\n', " "));
            ExitCode::FAILURE
        }
    }
}

fn generate() -> Result<(), String> {
    let root = PathBuf::from(variable("CARGO_MANIFEST_DIR")?);
    let out = PathBuf::from(variable("OUT_DIR")?);
    let name = env::var("THUMBNET_BOARD").unwrap_or_else(|_| DEFAULT_BOARD.to_string());
    let board = boards::find(&watched_text(&root.join("boards.toml"))?, &name)?;
    let target = variable("TARGET")?;
    if board.target != target {
        return Err(format!("{name} has a {}: build with --target {}, not {target}", board.core, board.target));
    }
    let flags = env::var("CARGO_ENCODED_RUSTFLAGS").unwrap_or_default();
    if let Some(cpu) = board.cpu.as_ref().filter(|cpu| !flags.contains(&format!("target-cpu={cpu}"))) {
        return Err(format!("{name} has a {}: build with RUSTFLAGS=-Ctarget-cpu={cpu}", board.core));
    }
    if let Some(hal) = board.hal.as_ref().filter(|hal| !has_feature(hal)) {
        return Err(format!("{name} is driven by {hal}: build with --features {hal}"));
    }

    if board.flash.is_some() {
        println!("cargo::rustc-cfg=thumbnet_flashed");
    }
    let mut memory_map = watched_text(&root.join("boards").join(format!("{name}.x")))?;
    let model = env::var_os("THUMBNET_MODEL").unwrap_or_else(|| DEFAULT_MODEL.into());
    let model = if model == EXTERNAL {
        external_model(&mut memory_map).map_err(|error| format!("{name}: {error}"))?
    } else {
        let path = root.join(model);
        embedded_model(&path, &memory_map).map_err(|error| format!("{} on {name}: {error}", path.display()))?
    };
    // The host checks with them that the board would start the image.
    memory_map +=
        "__flash_start = ORIGIN(FLASH);\n__ram_start = ORIGIN(RAM);\n__ram_end = ORIGIN(RAM) + LENGTH(RAM);\n";
    // esp-hal brings a map of its own, of the same name; what its sections are in sum is ours to say.
    let (script, text) =
        if has_feature("esp32c3") { ("sizes.x", ESP_SIZES) } else { ("memory.x", memory_map.as_str()) };
    fs::write(out.join(script), text).map_err(|error| format!("cannot write {script}: {error}"))?;
    println!("cargo::rustc-link-search={}", out.display());
    let scripts: &[&str] = match (target.starts_with("riscv"), has_feature("esp32c3")) {
        (false, _) => &["link.x"],
        // riscv-rt's script includes no memory map, esp-hal's brings its own.
        (true, false) => &["memory.x", "link.x"],
        (true, true) => &["linkall.x", "sizes.x"],
    };
    for script in scripts {
        println!("cargo::rustc-link-arg-bins=-T{script}");
    }
    println!("cargo::rustc-link-arg-bins=--nmagic");
    // Not in the image: the tests follow them to see what a network needs of it.
    println!("cargo::rustc-link-arg-bins=--emit-relocs");
    if has_feature("defmt") {
        println!("cargo::rustc-link-arg-bins=-Tdefmt.x");
    }
    let source = board_source(&root, &board) + &model;
    fs::write(out.join("generated.rs"), source).map_err(|error| format!("cannot write generated.rs: {error}"))
}

/// What `start.rs` includes of the board.
fn board_source(root: &Path, board: &Board) -> String {
    let Board { name, core, file, .. } = board;
    let file = root.join("src/boards").join(format!("{file}.rs"));
    format!(
        "#[path = {file:?}]
mod board;
const BOARD_NAME: &str = {name:?};
const CORE: &str = {core:?};
",
    )
}

/// What `start.rs` includes of a model that is part of the image, if it fits the board.
fn embedded_model(path: &Path, memory_map: &str) -> Result<String, String> {
    let bytes = watched(path)?;
    let model = Model::parse(&bytes).map_err(|error| error.to_string())?;
    let needs = Needs {
        model: bytes.len(),
        arena: model.arena_len(),
        request: request_len(model.input().len()),
        reply: reply_len(model.outputs()),
    };
    needs.check(memory_map)?;
    Ok(format!(
        "const ARENA_LEN: usize = {arena};
const REQUEST_LEN: usize = {request};
const REPLY_LEN: usize = {reply};
type Kernels = thumbnet::kernels::Only<{uses}>;
fn model_bytes() -> &'static [u8] {{
    #[repr(align(16))]
    struct Aligned<T: ?Sized>(T);
    static ALIGNED: &Aligned<[u8]> = &Aligned(*include_bytes!({path:?}));
    &ALIGNED.0
}}
",
        arena = needs.arena,
        request = needs.request,
        reply = needs.reply,
        // The image has no other kernels.
        uses = model.uses(),
    ))
}

/// What `start.rs` and the linker include for an image that takes any model: where it is, and the largest arena, input and
/// answer.
fn external_model(memory_map: &mut String) -> Result<String, String> {
    let Largest { pixels, outputs } = Largest::of(memory_map)?;
    let (request, reply) = (request_len(pixels), reply_len(outputs));
    let arena = memory::largest_arena(memory_map, request, reply)?;
    println!("cargo::rustc-cfg=thumbnet_external_model");
    *memory_map += &format!(
        "__model_start = ORIGIN(MODEL);
__model_end = ORIGIN(MODEL) + LENGTH(MODEL);
__arena_len = {arena};
__most_pixels = {pixels};
__most_outputs = {outputs};
"
    );
    Ok(format!(
        "const ARENA_LEN: usize = {arena};
const REQUEST_LEN: usize = {request};
const REPLY_LEN: usize = {reply};
type Kernels = thumbnet::kernels::Selected;
"
    ))
}

/// The bytes of a file, on whose change this runs again.
fn watched(path: &Path) -> Result<Vec<u8>, String> {
    println!("cargo::rerun-if-changed={}", path.display());
    fs::read(path).map_err(|error| format!("cannot read {}: {error}", path.display()))
}

fn watched_text(path: &Path) -> Result<String, String> {
    String::from_utf8(watched(path)?).map_err(|_| format!("{} is not text", path.display()))
}

fn has_feature(name: &str) -> bool {
    env::var_os(format!("CARGO_FEATURE_{}", name.to_uppercase().replace('-', "_"))).is_some()
}

/// An environment variable that cargo sets.
fn variable(name: &str) -> Result<String, String> {
    env::var(name).map_err(|_| format!("cargo has not set {name}"))
}
