//! C and C++ programs say what the core says, bit for bit: on this machine, and on emulated boards with and without the DSP extension.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

use thumbnet::{Model, Network};

/// A machine in QEMU.
struct Machine {
    name: &'static str,
    target: &'static str,
    /// GCC's options for its core.
    options: &'static [&'static str],
    flash: &'static str,
    ram: &'static str,
}

const CORTEX_M4: Machine = Machine {
    name: "mps2-an386",
    target: "thumbv7em-none-eabihf",
    options: &["-mcpu=cortex-m4", "-mfpu=fpv4-sp-d16", "-mfloat-abi=hard"],
    flash: "0x00000000",
    ram: "0x20000000",
};
/// Its first core has neither the DSP extension nor a floating-point unit.
const CORTEX_M33_WITHOUT_DSP: Machine = Machine {
    name: "mps2-an521",
    target: "thumbv8m.main-none-eabi",
    options: &["-mcpu=cortex-m33+nodsp", "-mfloat-abi=soft"],
    flash: "0x10000000",
    ram: "0x38000000",
};

#[test]
#[cfg_attr(miri, ignore = "other compilers")]
fn a_program_on_this_machine_answers_like_the_core() {
    let work = work("host");
    let program = work.join("digit").with_extension(env::consts::EXE_EXTENSION);
    let library = library(&work, None, None);
    run(compile("cc", &work, &["-std=c99", "-pedantic"])
        .arg(root().join("examples/digit.c"))
        .arg(&library)
        .arg("-o")
        .arg(&program)
        .args(["-lpthread", "-ldl", "-lm"]));
    let (success, text) = output(&mut Command::new(&program));
    assert!(success, "{text}");
    assert_eq!(text, expected());
}

#[test]
#[cfg_attr(miri, ignore = "other compilers")]
fn programs_on_a_board_answer_like_the_core_and_have_no_panic() {
    let work = work("m4");
    let library = library(&work, Some(CORTEX_M4.target), None);
    for language in [&["-x", "c", "-std=c99"], &["-x", "c++", "-std=c++11"]] {
        let (success, text) = CORTEX_M4.boot(&CORTEX_M4.link(&work, &library, language));
        assert!(success, "{language:?}: {text}");
        assert_eq!(text, expected(), "{language:?}");
    }
    let (success, symbols) = output(Command::new("arm-none-eabi-nm").arg(work.join("digit.elf")));
    assert!(success && symbols.contains("thumbnet_parse"), "{symbols}");
    let names = ["panic", "unwind", "alloc::"];
    let unwanted = symbols.lines().find(|symbol| names.iter().any(|name| symbol.contains(name)));
    assert!(unwanted.is_none(), "{unwanted:?}");
}

#[test]
#[cfg_attr(miri, ignore = "other compilers")]
fn without_being_told_of_the_dsp_extension_nothing_uses_it() {
    let work = work("m33");
    let machine = CORTEX_M33_WITHOUT_DSP;
    let (success, text) = machine.boot(&machine.link(&work, &library(&work, Some(machine.target), None), &["-x", "c"]));
    assert!(success, "{text}");
    assert_eq!(text, expected());
    // That the machine has none.
    let with_dsp = library(&work, Some(machine.target), Some("dsp"));
    let (success, text) = machine.boot(&machine.link(&work, &with_dsp, &["-x", "c"]));
    assert!(!success, "{text}");
}

impl Machine {
    /// The program with the library.
    fn link(&self, work: &Path, library: &Path, language: &[&str]) -> PathBuf {
        let (board, object, elf) = (root().join("tests/board"), work.join("board.o"), work.join("digit.elf"));
        run(self.compile(work, &["-c"]).arg(board.join("board.c")).arg("-o").arg(&object));
        let mut link = self.compile(work, language);
        link.arg(root().join("examples/digit.c")).args(["-x", "none"]).arg(&object).arg(library);
        link.args(["-nostartfiles", "--specs=nano.specs", "--specs=nosys.specs", "-Wl,--gc-sections"]);
        link.arg(format!("-Wl,--defsym=flash={},--defsym=ram={}", self.flash, self.ram));
        run(link.arg("-T").arg(board.join("board.ld")).arg("-o").arg(&elf));
        elf
    }

    fn compile(&self, work: &Path, options: &[&str]) -> Command {
        let mut compile = compile("arm-none-eabi-gcc", work, options);
        compile.args(self.options).args(["-mthumb", "-fno-exceptions", "-ffunction-sections"]);
        compile
    }

    /// Whether the program succeeds, and what it prints.
    fn boot(&self, elf: &Path) -> (bool, String) {
        let mut qemu = Command::new("qemu-system-arm");
        qemu.args(["-machine", self.name, "-display", "none", "-monitor", "none", "-serial", "none"]);
        output(qemu.args(["-semihosting-config", "enable=on,target=native", "-kernel"]).arg(elf))
    }
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// A directory with the model and images as C.
fn work(name: &str) -> PathBuf {
    let work = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    fs::create_dir_all(&work).expect("there is room");
    fs::write(work.join("nano.h"), header()).expect("there is room");
    work
}

/// The static library, as its users build it.
fn library(work: &Path, target: Option<&str>, kernels: Option<&str>) -> PathBuf {
    let mut build = Command::new(env!("CARGO"));
    build.args(["rustc", "--quiet", "--profile", "board", "--crate-type", "staticlib", "--target-dir"]).arg(work);
    build.current_dir(root()).env_remove("THUMBNET_KERNELS");
    build.args(target.iter().flat_map(|target| ["--target", target]));
    run(build.envs(kernels.map(|kernels| ("THUMBNET_KERNELS", kernels))));
    work.join(target.unwrap_or_default()).join("board").join("libthumbnet_c.a")
}

/// A compiler that takes every warning for an error.
fn compile(compiler: &str, work: &Path, options: &[&str]) -> Command {
    let mut compile = Command::new(compiler);
    compile.args(["-O1", "-Wall", "-Wextra", "-Werror"]).args(options);
    compile.arg("-I").arg(root().join("include")).arg("-I").arg(work);
    compile
}

fn run(command: &mut Command) {
    let output = command.output();
    let output =
        output.unwrap_or_else(|error| panic!("{command:?}: {error}; `cargo xtask setup` installs what is missing"));
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
}

/// Whether a program succeeds, and what it prints, on either output.
fn output(command: &mut Command) -> (bool, String) {
    let output = command.output();
    let output =
        output.unwrap_or_else(|error| panic!("{command:?}: {error}; `cargo xtask setup` installs what is missing"));
    (output.status.success(), String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned())
}

fn sample(extension: &str) -> Vec<u8> {
    fs::read(root().join("../tests/samples/v2-nano").with_extension(extension)).expect("the sample is there")
}

/// The sample's image, upside down, inverted, nothing, everything.
fn images(model: &Model<'_>) -> Vec<Vec<u8>> {
    let len = model.input().len();
    let image = sample("image")[..len].to_vec();
    let upside_down = image.chunks(model.input_row_len()).rev().flatten().copied().collect();
    let inverted = image.iter().map(|pixel| 255 - pixel).collect();
    vec![image, upside_down, inverted, vec![0; len], vec![255; len]]
}

/// A model and images as C.
fn header() -> String {
    let file = sample("tnet");
    let model = Model::parse(&file).expect("the sample is a model");
    let list = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte},")).collect::<String>();
    let images: Vec<_> = images(&model).iter().map(|image| format!("{{{}}},\n", list(image))).collect();
    format!(
        "#define NANO_ALIGNED __attribute__((aligned(16)))
#define NANO_ARENA_LEN {arena}
#define NANO_OUTPUTS {outputs}
#define NANO_IMAGES {count}
static const uint8_t nano[] NANO_ALIGNED = {{{bytes}}};
static const uint8_t images[NANO_IMAGES][{len}] = {{{images}}};
",
        arena = model.arena_len(),
        outputs = model.outputs(),
        count = images.len(),
        bytes = list(model.bytes()),
        len = model.input().len(),
        images = images.concat(),
    )
}

/// What the program has to print.
fn expected() -> String {
    let file = sample("tnet");
    let model = Model::parse(&file).expect("the sample is a model");
    let mut arena = vec![0; model.arena_len()];
    let mut network = Network::new(&model, &mut arena).expect("the arena has the model's length");
    let mut text = String::new();
    for image in images(&model) {
        let prediction = network.classify(&image).expect("the image has the model's size");
        let logits: String = prediction.logits().iter().map(|logit| format!(" {logit}")).collect();
        for how in ["whole", "by rows"] {
            text += &format!("{how}: a {}:{logits}\n", prediction.class());
        }
    }
    text + "a row, an image or the outputs have another length than the model's\n"
}
