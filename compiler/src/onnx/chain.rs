//! The layers so far, and what still waits to be folded into the next one.

use inference_core::format::{MAX_CLASSES, MAX_DIMENSION, MAX_KERNEL, MAX_LAYERS, MAX_WINDOW_ROWS, Op, Pool, Shape};

use crate::CompileError;
use crate::fold::{self, Affine};
use crate::graph::{self, Activation, Layer, Network};
use crate::onnx::Node;

/// The chain of layers under construction.
#[derive(Debug)]
pub struct Chain {
    input: Shape,
    layers: Vec<Layer>,
    /// The tensor that the last node left, as height, width and channels.
    pub shape: Shape,
    /// Whether that tensor is flat, `[N, channels * height * width]` in ONNX's order.
    pub flat: bool,
    affine: Option<Affine>,
    padding: Option<Padding>,
    ended: bool,
    notes: Vec<String>,
}

/// Constant padding that waits for the convolution or pooling after it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Padding {
    /// Top, left, bottom, right, in pixels.
    pub sizes: [u8; 4],
    /// What it is filled with.
    pub value: f32,
}

impl Chain {
    /// A network that takes images of this shape.
    pub fn new(input: Shape) -> Self {
        Self {
            input,
            layers: Vec::new(),
            shape: input,
            flat: false,
            affine: None,
            padding: None,
            ended: false,
            notes: Vec::new(),
        }
    }

    /// Refuses every operator that may not come now.
    pub fn expect_open(&self, node: &Node<'_>) -> Result<(), CompileError> {
        if self.ended {
            return Err(node.refuse("comes after the softmax", "export the network up to its logits or softmax"));
        }
        Ok(())
    }

    /// Refuses the operator if explicit padding waits that it cannot take in.
    pub fn expect_unpadded(&self, node: &Node<'_>) -> Result<(), CompileError> {
        match self.padding {
            Some(_) => Err(node.refuse("follows a Pad", "pad directly before a convolution or a max pooling")),
            None => Ok(()),
        }
    }

    /// Refuses the operator if the tensor is flat.
    pub fn expect_map(&self, node: &Node<'_>) -> Result<(), CompileError> {
        match self.flat {
            true => Err(node.refuse("follows a flattened tensor", "move it before the Flatten")),
            false => Ok(()),
        }
    }

    /// Keeps explicit padding for the next node.
    pub fn pad(&mut self, padding: Padding) {
        self.padding = Some(padding);
    }

    /// The explicit padding that waits.
    pub fn take_padding(&mut self) -> Option<Padding> {
        self.padding.take()
    }

    /// Adds a layer; its output shape is worked out here.
    pub fn push(&mut self, node: &Node<'_>, mut layer: Layer) -> Result<(), CompileError> {
        let affine = self.affine.take();
        if layer.op == Op::GlobalAveragePool {
            // An average of scaled values is the scaled average: it waits on.
            self.affine = affine;
        } else if let Some(affine) = affine {
            if layer.is_padded() && !affine.keeps_zero() {
                let advice =
                    "move it between the convolution and its activation, or do not pad the convolution after it";
                return Err(node.refuse(
                    "pads the result of a batch normalization (or added constant) that comes after an activation: \
                     its zeros are no zeros before the normalization",
                    advice,
                ));
            }
            fold::fold_before(&affine, &mut layer);
        }
        if self.layers.len() == MAX_LAYERS {
            return Err(node.refuse(format!("is layer {}", MAX_LAYERS + 1), format!("use at most {MAX_LAYERS} layers")));
        }
        self.layers.push(layer);
        self.reshape(node)
    }

    /// Adds what follows the sums of the last layer: activation `next`.
    pub fn activate(&mut self, node: &Node<'_>, next: Activation) -> Result<(), CompileError> {
        self.expect_unpadded(node)?;
        if self.affine.is_some() {
            let advice = "move the normalization between a layer and its activation";
            return Err(node.refuse("follows a normalization that follows an activation or average", advice));
        }
        let Some(layer) = self.layers.last_mut() else {
            return Err(node.refuse("comes before the first layer", "begin with a convolution or dense layer"));
        };
        match (layer.activation, next) {
            (Activation::Linear, _) => layer.activation = next,
            // Neither changes values that are not negative.
            (Activation::Relu | Activation::Sigmoid, Activation::Relu) => {}
            _ => return Err(node.refuse("is a second activation", "use one activation a layer")),
        }
        Ok(())
    }

    /// Adds a scale and shift a channel, folded into the layer before or, exactly, the one after.
    pub fn affine(&mut self, node: &Node<'_>, next: Affine) -> Result<(), CompileError> {
        self.expect_unpadded(node)?;
        if let (None, Some(layer)) = (&self.affine, self.layers.last_mut()) {
            let pooled = layer.pool != Pool::NONE;
            if layer.activation == Activation::Linear && !layer.weights.is_empty() && (!pooled || next.is_increasing())
            {
                fold::fold_after(layer, &next);
                return Ok(());
            }
        }
        self.affine = Some(self.affine.as_ref().map_or(next.clone(), |before| before.then(&next)));
        Ok(())
    }

    /// Adds max pooling to the last layer. Padding sizes as in `Padding`; `value` is the
    /// explicit padding's, negative infinity for the operator's own.
    pub fn pool(&mut self, node: &Node<'_>, pool: Pool, value: f32) -> Result<(), CompileError> {
        if self.affine.as_ref().is_some_and(|affine| !affine.is_increasing()) {
            let advice = "pool before the normalization, or use positive scales only";
            return Err(node.refuse("follows a normalization that turns the order of values around", advice));
        }
        let Some(layer) = self.layers.last_mut() else {
            return Err(node.refuse("comes before the first layer", "begin with a convolution or dense layer"));
        };
        if !matches!(layer.op, Op::Conv | Op::DepthwiseConv) || layer.pool != Pool::NONE {
            let advice = "put one max pooling directly after a convolution and its activation";
            return Err(node.refuse("does not follow a convolution", advice));
        }
        let is_padded = pool.pad_bottom | pool.pad_right != 0;
        let never_wins =
            value <= f32::MIN || (value <= 0.0 && layer.activation != Activation::Linear && self.affine.is_none());
        if is_padded && !never_wins {
            let what = format!("pools padding of {value}, which may be larger than a value of the map");
            return Err(node.refuse(what, "pad with negative infinity, or at most 0 after ReLU or sigmoid"));
        }
        layer.pool = pool;
        self.reshape(node)
    }

    /// Notes the softmax at the end; nothing may follow.
    pub fn end(&mut self, note: String) {
        self.ended = true;
        self.notes.push(note);
    }

    /// Works out the last layer's output shape and checks it against the limits of the format.
    fn reshape(&mut self, node: &Node<'_>) -> Result<(), CompileError> {
        let Some(layer) = self.layers.last_mut() else { return Ok(()) };
        let window = layer.window;
        let sizes = [window.kernel_height, window.kernel_width, window.stride_height, window.stride_width];
        let pool = layer.pool;
        if sizes.iter().chain(&[pool.size, pool.stride]).any(|size| !(1..=MAX_KERNEL).contains(size)) {
            let what = format!("has a kernel or stride of {sizes:?}, pooling {} / {}", pool.size, pool.stride);
            return Err(node.refuse(what, format!("kernels and strides are 1 to {MAX_KERNEL}")));
        }
        if pool.stride > pool.size {
            return Err(node.refuse("skips values between its windows", "use a stride of at most the pooling size"));
        }
        let fits = window.pad_top < window.kernel_height
            && window.pad_bottom < window.kernel_height
            && window.pad_left < window.kernel_width
            && window.pad_right < window.kernel_width
            && pool.pad_bottom < pool.size
            && pool.pad_right < pool.size;
        if !fits {
            return Err(node.refuse("pads by its whole kernel or more", "pad by less than the kernel"));
        }
        let record = layer.record();
        if record.window_rows() > MAX_WINDOW_ROWS {
            let what = format!("needs {} input rows for an output row with its pooling", record.window_rows());
            return Err(
                node.refuse(what, format!("at most {MAX_WINDOW_ROWS}: use a smaller kernel, stride or pooling"))
            );
        }
        layer.output = record.expected_output();
        let Shape { height, width, channels } = layer.output;
        if [height, width, channels].iter().any(|size| !(1..=MAX_DIMENSION).contains(size)) {
            let input = layer.input;
            let what = format!(
                "makes a map of {height}x{width}x{channels} from one of {}x{}x{}",
                input.height, input.width, input.channels
            );
            return Err(node.refuse(what, format!("sizes are 1 to {MAX_DIMENSION}")));
        }
        self.shape = layer.output;
        Ok(())
    }

    /// The finished network.
    pub fn finish(mut self) -> Result<Network, CompileError> {
        let graph = |what: &str| Err(CompileError::Graph(what.into()));
        if self.padding.is_some() {
            return graph("ends in a Pad: remove it");
        }
        if self.affine.is_some() {
            return graph("ends in a normalization that cannot be folded: put it before the last layer's activation");
        }
        let Some(last) = self.layers.last_mut() else { return graph("has no layer") };
        let covers_map = last.op == Op::Conv
            && last.filter_len() == graph::len(last.input)
            && graph::len(last.output) == last.channels()
            && !last.is_padded();
        if covers_map {
            last.op = Op::Dense;
            last.window = inference_core::format::Window::UNIT;
        }
        if last.op != Op::Dense {
            return graph("must end in a dense layer that gives one logit a class");
        }
        if last.activation != Activation::Linear {
            return graph("ends in an activation: export it up to its logits or softmax");
        }
        if last.channels() > MAX_CLASSES {
            return Err(CompileError::Graph(format!(
                "tells {} classes apart: at most {MAX_CLASSES} are possible",
                last.channels()
            )));
        }
        Ok(Network { input: self.input, layers: self.layers, notes: self.notes })
    }
}
