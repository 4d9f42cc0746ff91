//! Random changes to training images: a small shift, turn and change of size, drawn anew in every epoch.

use networks::Augment;

use crate::rng::Rng;

/// Writes the changed `image` (`height * width` bytes) to `out`, as values in 0..=1. What comes from outside
/// the image is background.
pub fn apply(augment: &Augment, rng: &mut Rng, image: &[u8], height: usize, width: usize, out: &mut [f32]) {
    let (sin, cos) = rng.symmetric(augment.rotate).to_radians().sin_cos();
    let grow_y = 1.0 / (1.0 + rng.symmetric(augment.scale));
    let grow_x = 1.0 / (1.0 + rng.symmetric(augment.scale));
    let (shift_y, shift_x) = (rng.symmetric(augment.shift), rng.symmetric(augment.shift));
    let (middle_y, middle_x) = ((height as f64 - 1.0) / 2.0, (width as f64 - 1.0) / 2.0);
    let at = |y: i64, x: i64| {
        let inside = (0..height as i64).contains(&y) && (0..width as i64).contains(&x);
        if inside { f64::from(image[y as usize * width + x as usize]) } else { 0.0 }
    };
    for (index, value) in out.iter_mut().enumerate() {
        // Where this output pixel comes from.
        let y = (index / width) as f64 - middle_y - shift_y;
        let x = (index % width) as f64 - middle_x - shift_x;
        let from_y = (cos * y + sin * x) * grow_y + middle_y;
        let from_x = (cos * x - sin * y) * grow_x + middle_x;
        let (top, left) = (from_y.floor(), from_x.floor());
        let (down, right) = (from_y - top, from_x - left);
        let (top, left) = (top as i64, left as i64);
        let upper = at(top, left) * (1.0 - right) + at(top, left + 1) * right;
        let lower = at(top + 1, left) * (1.0 - right) + at(top + 1, left + 1) * right;
        *value = ((upper * (1.0 - down) + lower * down) / 255.0) as f32;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIDE: usize = 9;

    fn changed(augment: Augment, seed: u64, image: &[u8]) -> Vec<f32> {
        let mut out = vec![0.0; SIDE * SIDE];
        apply(&augment, &mut Rng::new(&[seed]), image, SIDE, SIDE, &mut out);
        out
    }

    #[test]
    fn no_change_keeps_every_pixel() {
        let image: Vec<u8> = (0..SIDE * SIDE).map(|i| (i * 37 % 251) as u8).collect();
        let same = changed(Augment::default(), 3, &image);
        assert!(same.iter().zip(&image).all(|(&got, &byte)| (got - f32::from(byte) / 255.0).abs() < 1e-6));
    }

    #[test]
    fn changes_differ_between_images_and_stay_within_bounds() {
        let mut image = vec![0u8; SIDE * SIDE];
        image[4 * SIDE + 4] = 255;
        let augment = Augment { shift: 2.0, rotate: 10.0, scale: 0.1 };
        assert_ne!(changed(augment, 1, &image), changed(augment, 2, &image));
        assert_eq!(changed(augment, 1, &image), changed(augment, 1, &image));
        for seed in 0..50 {
            // The one bright pixel is the middle, so only the shift moves it: at most 2 (+ 1 of blending).
            let moved = changed(augment, seed, &image);
            for (index, _) in moved.iter().enumerate().filter(|(_, value)| **value > 0.0) {
                assert!((index / SIDE).abs_diff(4) <= 3 && (index % SIDE).abs_diff(4) <= 3, "{seed}: {index}");
            }
            assert!(moved.iter().all(|value| (0.0..=1.0).contains(value)));
        }
    }
}
