//! What is compared: a network that can be asked what its layers make of an image.

use std::path::Path;

use anyhow::Context;
use dataset::Dataset;
use thumbnet::format::Shape;
use thumbnet_compiler::graph::Network;
use thumbnet_compiler::kept::Kept;
use thumbnet_compiler::{Form, OnnxModel, float, onnx, order};
use thumbnet_device::Connection;

use crate::{device, eval, inspect, is_onnx, is_tnet, parse, read};

/// One of two networks.
pub enum Side {
    /// A model: every layer, in integers.
    Model(Box<Kept>, Facts),
    /// An ONNX file that can be imported: every layer, folded as the compiler folds it.
    Floats(Box<Network>, Facts),
    /// Another ONNX file, run as it is: the result only.
    Onnx(Box<OnnxModel>, Facts),
    /// A board: the result only, in integers.
    Board(Box<Connection>, Facts),
}

/// What is known of it.
pub struct Facts {
    input: Shape,
    /// A name and a shape a layer, where these can be seen.
    layers: Vec<(String, Shape)>,
    /// The real value of a step of the result, where it is known.
    output_scale: Option<f64>,
}

/// What a layer makes of an image, channel fastest.
pub struct Output {
    /// Its shape, where it is known.
    pub shape: Option<Shape>,
    /// Integers less their zero point, or floats.
    pub values: Vec<f64>,
    /// The real value of one; not known of a model's layers, whose file does not hold it.
    pub scale: Option<f64>,
}

impl Side {
    /// Opens a file or a board.
    pub fn open(name: &str, input: Option<&Form>, images: &Dataset, data: &Path) -> anyhow::Result<Self> {
        let path = Path::new(name);
        if !path.is_file() && !is_onnx(path) && !is_tnet(path, &[]) {
            return Self::board(name);
        }
        let bytes = read(path)?;
        if is_tnet(path, &bytes) {
            let model = parse(path, &bytes)?;
            let name = |(index, layer)| (format!("{index}: {}", inspect::describe(&layer)), layer.output);
            let facts = Facts {
                input: model.input(),
                layers: model.layers().enumerate().map(name).collect(),
                output_scale: Some(f64::from(model.output_scale())),
            };
            return Ok(Self::Model(Box::new(Kept::of(&model)?), facts));
        }
        let (model, form) =
            eval::onnx(path, &bytes, input, images, data).with_context(|| path.display().to_string())?;
        let facts = |input| Facts { input, layers: Vec::new(), output_scale: Some(1.0) };
        let Ok(mut network) = onnx::import_with(&bytes, &eval::entry(path, &form, images)) else {
            return Ok(Self::Onnx(Box::new(model.clone()), facts(model.input_shape())));
        };
        order::short_branches_first(&mut network);
        let layers = network.layers.iter().enumerate();
        let layers = layers.map(|(index, layer)| (format!("{index}: {}", layer.name), layer.record.output)).collect();
        let facts = Facts { layers, ..facts(network.input) };
        Ok(Self::Floats(Box::new(network), facts))
    }

    fn board(name: &str) -> anyhow::Result<Self> {
        let is_tcp = name.rsplit_once(':').is_some_and(|(_, port)| port.parse::<u16>().is_ok());
        let connection = if is_tcp { Connection::tcp(name) } else { Connection::serial(name, device::BAUD) };
        let mut connection = connection.with_context(|| format!("{name} is no file, and no board answers there"))?;
        let info = connection.info()?;
        let facts = Facts { input: device::shape(&info), layers: Vec::new(), output_scale: None };
        Ok(Self::Board(Box::new(connection), facts))
    }

    fn facts(&self) -> &Facts {
        match self {
            Self::Model(_, facts) | Self::Floats(_, facts) | Self::Onnx(_, facts) | Self::Board(_, facts) => facts,
        }
    }

    /// What enters.
    pub fn input(&self) -> Shape {
        self.facts().input
    }

    /// Whether it computes with integers.
    pub fn is_integer(&self) -> bool {
        match self {
            Self::Model(..) | Self::Board(..) => true,
            Self::Floats(..) | Self::Onnx(..) => false,
        }
    }

    /// What each layer that can be seen makes of an image, the result last.
    pub fn outputs(&mut self, pixels: &[u8]) -> anyhow::Result<Vec<Output>> {
        Ok(match self {
            Self::Model(kept, facts) => {
                let maps = kept.maps(pixels)?;
                let last = maps.len().saturating_sub(1);
                let output = |(index, map): (usize, thumbnet_compiler::kept::Made)| Output {
                    shape: Some(map.shape),
                    values: map.steps.iter().map(|&steps| f64::from(steps)).collect(),
                    scale: facts.output_scale.filter(|_| index == last),
                };
                maps.into_iter().enumerate().map(output).collect()
            }
            Self::Floats(network, facts) => {
                let maps = float::activations(network, &float::image(network, pixels));
                let shapes = facts.layers.iter().map(|&(_, shape)| shape);
                maps.iter().zip(shapes).map(|(map, shape)| floats(map, Some(shape))).collect()
            }
            Self::Onnx(model, _) => vec![floats(&model.logits(pixels)?, None)],
            Self::Board(connection, _) => {
                let prediction = connection.classify(pixels)?;
                let values = prediction.logits.iter().map(|&logit| f64::from(logit)).collect();
                vec![Output { shape: None, values, scale: None }]
            }
        })
    }
}

fn floats(values: &[f32], shape: Option<Shape>) -> Output {
    Output { shape, values: values.iter().map(|&value| f64::from(value)).collect(), scale: Some(1.0) }
}

/// The names of the layers where both sides have the same ones.
pub fn shared(a: &Side, b: &Side) -> Option<Vec<String>> {
    let [a_layers, b_layers] = [a, b].map(|side| &side.facts().layers);
    let shapes = |layers: &[(String, Shape)]| layers.iter().map(|&(_, shape)| shape).collect::<Vec<_>>();
    if a_layers.is_empty() || shapes(a_layers) != shapes(b_layers) {
        return None;
    }
    // The names of nodes say more than those of operators.
    let named = if a.is_integer() && !b.is_integer() { b_layers } else { a_layers };
    Some(named.iter().map(|(name, _)| format!("layer {name}")).collect())
}
