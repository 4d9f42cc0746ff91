//! Probabilities, for people to look at: the only float in this crate, outside the network.

use micromath::F32Ext;

/// The softmax of `logits * scale` into `probabilities`, as many as fit; returns those written.
///
/// `scale` is [`Model::output_scale`](crate::Model::output_scale). The largest logit is subtracted
/// first, so nothing overflows; micromath's exponential is good to about three digits.
pub fn softmax<'p>(logits: crate::Logits<'_>, scale: f32, probabilities: &'p mut [f32]) -> &'p mut [f32] {
    let largest = logits.iter().max().unwrap_or(0);
    let len = logits.iter().len().min(probabilities.len());
    let probabilities = probabilities.get_mut(..len).unwrap_or(&mut []);
    let mut sum = 0.0;
    for (probability, logit) in probabilities.iter_mut().zip(logits.iter()) {
        // The difference of two i32 fits i64, not i32.
        *probability = F32Ext::exp((i64::from(logit) - i64::from(largest)) as f32 * scale);
        sum += *probability;
    }
    for probability in probabilities.iter_mut() {
        *probability /= sum;
    }
    probabilities
}
