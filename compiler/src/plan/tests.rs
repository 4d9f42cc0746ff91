//! Plans of the trainer's networks, made from their shapes alone.

use inference_core::format::{Activation, Op, Pool, Shape, Window};
use inference_core::winograd;
use serde::Deserialize;

use super::*;
use crate::algorithm::pays;
use crate::graph::record;

const OPTIMIZE: [Optimize; 3] = [Optimize::Speed, Optimize::Flash, Optimize::Ram];

/// The arena that the notebook's networks take where maps are kept whole (input and output of the
/// largest layer, before its pooling), and with a ring for every layer and nothing shared, without workspace.
const ALTERNATIVES: [(&str, [u32; 2]); 9] = [
    ("cnn3_k3", [94_080, 8_824]),
    ("cnn5_k3", [15_680, 4_952]),
    ("cnn7_k3", [20_032, 7_476]),
    ("cnn3_k5", [15_680, 3_776]),
    ("cnn5_k5", [43_520, 14_880]),
    ("cnn7_k5", [12_544, 15_908]),
    ("cnn3_k7", [13_032, 6_116]),
    ("cnn5_k7", [9_800, 6_948]),
    ("cnn7_k7", [9_680, 19_216]),
];

/// What a network's shapes depend on, as `trainer/networks.toml` says it.
#[derive(Deserialize)]
struct Spec {
    name: String,
    kernel: u8,
    conv: Vec<(u16, String, String)>,
    dense: Option<u16>,
    head: Option<String>,
}

impl Spec {
    fn all() -> Vec<Self> {
        #[derive(Deserialize)]
        struct Networks {
            network: Vec<Spec>,
        }
        let text = include_str!("../../../trainer/networks.toml");
        toml::from_str::<Networks>(text).expect("networks").network
    }

    /// The layers with the algorithms that `optimize` chooses.
    fn layers(&self, optimize: Optimize) -> Vec<Layer> {
        let mut layers: Vec<Layer> = Vec::new();
        let mut add = |op: Op, channels: Option<u16>, window: Window, pool: Pool| {
            let input = layers.last().map_or(Shape { height: 28, width: 28, channels: 1 }, |layer| layer.output);
            let output = Shape { channels: channels.unwrap_or(input.channels), ..input };
            let mut layer = record(op, input, output, window, pool);
            layer.output = layer.expected_output();
            if optimize == Optimize::Speed && winograd::is_eligible(&layer) && pays(&layer) {
                layer.algorithm = Algorithm::Winograd;
            }
            layers.push(layer);
        };
        let mut size = 28;
        for (filters, padding, pool) in &self.conv {
            let pad = if padding == "same" { self.kernel / 2 } else { 0 };
            let (kernel_height, kernel_width) = (self.kernel, self.kernel);
            let (pad_top, pad_left, pad_bottom, pad_right) = (pad, pad, pad, pad);
            let window =
                Window { kernel_height, kernel_width, pad_top, pad_left, pad_bottom, pad_right, ..Window::UNIT };
            size = size + 2 * pad + 1 - self.kernel;
            let (stride, padding) = match pool.as_str() {
                "" => (0, 0),
                "valid" => (2, 0),
                "same" => (2, size % 2),
                _ => (1, 1),
            };
            let pool = match stride {
                0 => Pool::NONE,
                _ => Pool { size: 2, stride, pad_bottom: padding, pad_right: padding },
            };
            size = if stride == 2 { (size + padding) / 2 } else { size };
            add(Op::Conv, Some(*filters), window, pool);
        }
        if self.head.is_some() {
            add(Op::GlobalAveragePool, None, Window::UNIT, Pool::NONE);
        }
        for units in self.dense.into_iter().chain([10]) {
            add(Op::Dense, Some(units), Window::UNIT, Pool::NONE);
        }
        layers.last_mut().expect("a layer").activation = Activation::Logits;
        layers
    }

    fn plan(&self, optimize: Optimize) -> (Vec<Layer>, u32) {
        let mut layers = self.layers(optimize);
        let len = plan(&mut layers, optimize);
        (layers, len)
    }
}

#[test]
fn no_plan_destroys_what_is_needed_or_claims_more_than_it_uses() {
    for spec in Spec::all() {
        for optimize in OPTIMIZE {
            let (layers, len) = spec.plan(optimize);
            assert_eq!(arena::check(&layers[..]), Ok(()), "{} {optimize:?}", spec.name);
            let ends = layers.iter().flat_map(|layer| {
                [layer.ring_offset + layer.ring_len() as u32, layer.scratch_offset + layer.scratch_len]
            });
            assert_eq!(ends.max(), Some(len), "{} {optimize:?}", spec.name);
        }
    }
}

#[test]
fn sharing_beats_whole_maps_and_rings() {
    let mut planned = 0;
    for spec in Spec::all() {
        let Some((_, alternatives)) = ALTERNATIVES.iter().find(|(name, _)| spec.name.starts_with(name)) else {
            continue;
        };
        let (_, len) = spec.plan(Optimize::Ram);
        let least = *alternatives.iter().min().expect("two");
        assert!(len < least + 1024, "{}: {len} of {alternatives:?}", spec.name);
        if spec.name.starts_with("cnn7") || spec.name == "cnn5_k7_relu" {
            assert!(len < alternatives[0], "{}: {len} of {alternatives:?}", spec.name);
        }
        planned += 1;
    }
    assert_eq!(planned, 13);
}

/// The table of `docs/memory.md`; `BLESS=1` writes it anew.
#[test]
fn the_documented_figures_are_those_of_the_plans() {
    let mut table = "| network | maps | rings | `speed` | `flash` | `ram` |\n|---|---|---|---|---|---|\n".to_string();
    for spec in Spec::all() {
        let alternatives = match ALTERNATIVES.iter().find(|(name, _)| spec.name.starts_with(name)) {
            Some((_, figures)) => figures.map(thousands),
            None => ["", ""].map(String::from),
        };
        let plans = OPTIMIZE.map(|optimize| spec.plan(optimize));
        let peak = Timeline::of(&plans[2].0).peak(&plans[2].0) as u32;
        let [speed, flash, ram] = plans.map(|(_, len)| thousands(len));
        let [maps, rings] = alternatives;
        table += &format!("| {} | {maps} | {rings} | {speed} | {flash} | {ram} ({}) |\n", spec.name, thousands(peak));
    }
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/memory.md");
    let page = std::fs::read_to_string(path).expect("docs/memory.md");
    let (before, rest) = page.split_once("-->\n").expect("a mark before the table");
    let (old, after) = rest.split_once("<!-- end -->").expect("a mark after the table");
    if std::env::var_os("BLESS").is_some() {
        std::fs::write(path, format!("{before}-->\n{table}<!-- end -->{after}")).expect("docs/memory.md");
    } else {
        assert_eq!(old, table, "run this test with BLESS=1 in the environment");
    }
}

/// A number with a comma in front of each group of three digits.
fn thousands(number: u32) -> String {
    if number < 1000 { number.to_string() } else { format!("{},{:03}", thousands(number / 1000), number % 1000) }
}
