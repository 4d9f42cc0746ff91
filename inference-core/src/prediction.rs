//! What comes out of a network.

/// What the network saw in an image.
#[derive(Clone, Copy, Debug)]
pub struct Prediction<'a> {
    pub(crate) outputs: Outputs<'a>,
}

/// What a network has made: sums of its last layer, or bytes with their zero point.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Outputs<'a> {
    Sums(&'a [[u8; 4]]),
    Bytes(&'a [u8], u8),
}

impl<'a> Prediction<'a> {
    /// The index of the largest output, the first one where several are equal: the most likely class. Of a single output,
    /// whether it is above zero: 1 or 0.
    pub fn class(&self) -> usize {
        let mut best = (0, i32::MIN);
        let logits = self.logits();
        if logits.len() == 1 {
            return usize::from(logits.iter().any(|logit| logit > 0));
        }
        for (class, logit) in logits.iter().enumerate() {
            if logit > best.1 {
                best = (class, logit);
            }
        }
        best.0
    }

    /// The outputs, in steps of [`Model::output_scale`](crate::Model::output_scale), zero where the real value is.
    pub fn logits(&self) -> Logits<'a> {
        Logits(self.outputs)
    }
}

/// The outputs for an image, one `i32` each.
#[derive(Clone, Copy, Debug)]
pub struct Logits<'a>(Outputs<'a>);

impl<'a> Logits<'a> {
    /// How many there are.
    pub fn len(&self) -> usize {
        match self.0 {
            Outputs::Sums(sums) => sums.len(),
            Outputs::Bytes(bytes, _) => bytes.len(),
        }
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The outputs in their order: of a map, row by row, channel fastest.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = i32> + Clone + 'a {
        let outputs = self.0;
        (0..self.len()).map(move |index| match outputs {
            Outputs::Sums(sums) => sums.get(index).map_or(0, |&sum| i32::from_le_bytes(sum)),
            Outputs::Bytes(bytes, zero_point) => {
                bytes.get(index).map_or(0, |&byte| i32::from(byte) - i32::from(zero_point))
            }
        })
    }
}
