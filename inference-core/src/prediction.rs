//! What comes out of a network.

/// What the network saw in an image.
#[derive(Clone, Copy, Debug)]
pub struct Prediction<'a> {
    pub(crate) logits: Logits<'a>,
}

impl<'a> Prediction<'a> {
    /// The most likely class; the first one where several are equal.
    pub fn class(&self) -> usize {
        let mut best = (0, i32::MIN);
        for (class, logit) in self.logits.iter().enumerate() {
            if logit > best.1 {
                best = (class, logit);
            }
        }
        best.0
    }

    /// The accumulators of the last layer, in steps of [`Model::logit_scale`](crate::Model::logit_scale).
    pub fn logits(&self) -> Logits<'a> {
        self.logits
    }
}

/// The logits of an image, one `i32` a class.
#[derive(Clone, Copy, Debug)]
pub struct Logits<'a>(pub(crate) &'a [[u8; 4]]);

impl<'a> Logits<'a> {
    /// The logits in the order of the classes.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = i32> + Clone + 'a {
        self.0.iter().map(|&bytes| i32::from_le_bytes(bytes))
    }
}
