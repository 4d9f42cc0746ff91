//! Plans of the networks in the trainer's table, and the page about them.

use anyhow::{Context, Result, ensure};
use host_tests::{models, networks, shipped};
use thumbnet::Model;
use thumbnet::schedule::Layers;
use thumbnet_compiler::plan::{Graph, peak};
use thumbnet_compiler::{Core, Optimize, pack};

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

/// The most that the benchmark's networks may take with `ram` and with `flash`, and the sum of live tensors and scratch layer
/// by layer.
const BENCHMARK: [(&str, [usize; 2], u32); 4] = [
    ("keyword", [6_000, 8_000], 16_000),
    ("image", [14_000, 18_000], 49_728),
    ("wakeword", [20_000, 26_000], 55_296),
    ("anomaly", [1_500, 1_500], 768),
];

/// A network compiled for every goal.
struct Planned {
    name: String,
    /// In the order of [`Optimize::ALL`].
    files: Vec<Vec<u8>>,
}

impl Planned {
    fn all() -> Result<Vec<Self>> {
        let planned = |spec: &::networks::NetworkSpec| {
            let integers = models::random(spec)?;
            let pack = |optimize| pack::pack(&integers, "planned", optimize, Core::default());
            let files = Optimize::ALL.into_iter().map(pack).collect::<Result<_, _>>()?;
            Ok(Self { name: spec.name.clone(), files })
        };
        networks::all()?.iter().map(planned).collect()
    }

    fn arena(&self, optimize: Optimize) -> Result<usize> {
        Ok(self.model(optimize)?.arena_len())
    }

    fn model(&self, optimize: Optimize) -> Result<Model<'_>> {
        let index = Optimize::ALL.iter().position(|&goal| goal == optimize).context("a goal")?;
        Ok(Model::parse(&self.files[index])?)
    }
}

/// What the fullest step of a model has in use.
fn fullest(model: &Model<'_>) -> Result<usize> {
    let input = model.map(0).context("a model has an input")?;
    Ok(peak(&Graph { input, layers: model.layers().collect() }).0)
}

#[test]
fn plans_are_small_claim_no_more_than_they_use_and_are_the_documented_ones() -> Result<()> {
    let networks = Planned::all()?;
    for planned in &networks {
        for optimize in Optimize::ALL {
            // Parsing has proved that no step destroys what is needed.
            let model = planned.model(optimize)?;
            let rings = (0..=model.layer_count()).filter_map(|map| model.map(map));
            let rings = rings.filter(|map| map.ring.rows > 0).map(|map| map.ring.offset as usize + map.ring_len());
            let scratch = model.layers().map(|layer| (layer.scratch_offset + layer.scratch_len) as usize);
            let end = rings.chain(scratch).max();
            ensure!(end == Some(model.arena_len()), "{} {optimize:?}: {end:?}", planned.name);
        }
    }
    sharing_beats_whole_maps_and_rings(&networks)?;
    for (name, [ram, flash], _) in BENCHMARK {
        let planned = networks.iter().find(|planned| planned.name == name).context(name)?;
        let found = [planned.arena(Optimize::Ram)?, planned.arena(Optimize::Flash)?];
        ensure!(found[0] <= ram && found[1] <= flash, "{name}: {found:?}, at most {ram} and {flash}");
    }
    documented(&networks)
}

fn sharing_beats_whole_maps_and_rings(networks: &[Planned]) -> Result<()> {
    let mut compared = 0;
    for planned in networks {
        let alternatives = ALTERNATIVES.iter().find(|(name, _)| planned.name.starts_with(name));
        let Some((_, alternatives)) = alternatives else { continue };
        let len = planned.arena(Optimize::Ram)? as u32;
        let least = *alternatives.iter().min().context("two")?;
        ensure!(len < least + 1024, "{}: {len} of {alternatives:?}", planned.name);
        if planned.name.starts_with("cnn7") || planned.name == "cnn5_k7_relu" {
            ensure!(len < alternatives[0], "{}: {len} of {alternatives:?}", planned.name);
        }
        compared += 1;
    }
    ensure!(compared == 13, "{compared} networks were compared");
    Ok(())
}

/// The table of `docs/memory.md`; `BLESS=1` writes it anew.
fn documented(networks: &[Planned]) -> Result<()> {
    let mut table = "| network | maps | rings | `speed` | `flash` | `ram` |\n|---|---|---|---|---|---|\n".to_string();
    for planned in networks {
        let whole = BENCHMARK.iter().find(|(name, ..)| *name == planned.name).map(|&(_, _, whole)| thousands(whole));
        let alternatives = ALTERNATIVES.iter().find(|(name, _)| planned.name.starts_with(name));
        let [maps, rings] =
            alternatives.map_or([whole.unwrap_or_default(), String::new()], |(_, both)| both.map(thousands));
        let [speed, flash, ram] = [Optimize::Speed, Optimize::Flash, Optimize::Ram].map(|goal| planned.arena(goal));
        let [speed, flash, ram] = [speed?, flash?, ram?].map(|len| thousands(len as u32));
        let peak = thousands(fullest(&planned.model(Optimize::Ram)?)? as u32);
        table += &format!("| {} | {maps} | {rings} | {speed} | {flash} | {ram} ({peak}) |\n", planned.name);
    }
    let path = shipped::root().join("docs/memory.md");
    let page = std::fs::read_to_string(&path)?;
    let (before, rest) = page.split_once("-->\n").context("a mark before the table")?;
    let (old, after) = rest.split_once("<!-- end -->").context("a mark after the table")?;
    if std::env::var_os("BLESS").is_some() {
        std::fs::write(&path, format!("{before}-->\n{table}<!-- end -->{after}"))?;
    } else {
        ensure!(old == table, "the table is not that of these plans: run this test with BLESS=1 in the environment");
    }
    Ok(())
}

/// A number with a comma in front of each group of three digits.
fn thousands(number: u32) -> String {
    if number < 1000 { number.to_string() } else { format!("{},{:03}", thousands(number / 1000), number % 1000) }
}
