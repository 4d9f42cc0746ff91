//! The forms in which networks expect an image: what `--input` says.
//!
//! The bytes that enter a model are always those of the data set, 0 to 255. A form says what the network was trained on in
//! their place; the import folds it into the first layers.

use std::fmt;
use std::str::FromStr;

use thumbnet::format::Shape;

use crate::onnx::Entry;

/// Largest byte.
const LARGEST: f64 = 255.0;

/// What a network expects in place of the bytes of an image.
#[derive(Clone, Debug, PartialEq)]
pub struct Form {
    /// What the bytes 0 to 255 become.
    numbers: Numbers,
    /// Whether the bytes are taken from 255 first: dark on bright where the data set has bright on dark.
    pub is_inverted: bool,
    /// Whether height and width change places.
    pub is_transposed: bool,
}

#[derive(Clone, Debug, PartialEq)]
enum Numbers {
    /// From the first number to the second one.
    Range(f64, f64),
    /// `(x - mean) / std` of values 0.0 to 1.0, or of bytes where a number is above 1: one of each, or one a channel.
    Normalized(Vec<f64>, Vec<f64>),
}

impl Default for Form {
    fn default() -> Self {
        Self::range(0.0, 1.0)
    }
}

impl Form {
    /// The bytes 0 to 255 as `low` to `high`.
    pub fn range(low: f64, high: f64) -> Self {
        Self { numbers: Numbers::Range(low, high), is_inverted: false, is_transposed: false }
    }

    /// Values 0.0 to 1.0 less the mean, divided by the standard deviation: one of each, or one a channel.
    pub fn normalized(mean: &[f64], std: &[f64]) -> Self {
        let numbers = Numbers::Normalized(mean.to_vec(), std.to_vec());
        Self { numbers, is_inverted: false, is_transposed: false }
    }

    /// The same with dark and bright, or height and width, exchanged.
    pub fn exchanged(&self, is_inverted: bool, is_transposed: bool) -> Self {
        Self { is_inverted, is_transposed, ..self.clone() }
    }

    /// What becomes of a byte, for all channels or for each of them.
    pub fn entry(&self) -> Entry {
        let (scale, offset): (Vec<f64>, Vec<f64>) = match &self.numbers {
            &Numbers::Range(low, high) => (vec![(high - low) / LARGEST], vec![low]),
            Numbers::Normalized(mean, std) => {
                let unit = if mean.iter().chain(std).any(|number| number.abs() > 1.0) { 1.0 } else { LARGEST };
                let count = mean.len().max(std.len());
                let at = |numbers: &[f64], channel: usize| numbers[if numbers.len() == 1 { 0 } else { channel }];
                let pairs = (0..count).map(|channel| (at(mean, channel), at(std, channel)));
                pairs.map(|(mean, std)| (1.0 / (std * unit), -mean / std)).unzip()
            }
        };
        let entry = Entry { is_transposed: self.is_transposed, ..Entry::default() };
        if !self.is_inverted {
            return Entry { scale, offset, ..entry };
        }
        let offset = scale.iter().zip(offset).map(|(scale, offset)| offset + LARGEST * scale).collect();
        Entry { scale: scale.iter().map(|scale| -scale).collect(), offset, ..entry }
    }

    /// The same for images of this shape.
    pub fn entry_for(&self, images: Option<Shape>) -> Entry {
        Entry { images, ..self.entry() }
    }

    /// The form that an entry stands for.
    pub fn of(entry: &Entry) -> Self {
        let channels = entry.scale.len().max(entry.offset.len());
        let pairs = || (0..channels).map(|channel| entry.of_channel(channel));
        let is_inverted = pairs().all(|[scale, _]| scale < 0.0);
        let plain: Vec<[f64; 2]> = pairs()
            .map(|[scale, offset]| if is_inverted { [-scale, offset + LARGEST * scale] } else { [scale, offset] })
            .collect();
        let numbers = match plain[..] {
            [[scale, low]] if is_round(low) && is_round(low + LARGEST * scale) => {
                Numbers::Range(whole(low), whole(low + LARGEST * scale))
            }
            _ => {
                let std = plain.iter().map(|[scale, _]| rounded(1.0 / (LARGEST * scale))).collect();
                let mean = plain.iter().map(|[scale, offset]| rounded(-offset / (LARGEST * scale))).collect();
                Numbers::Normalized(mean, std)
            }
        };
        Self { numbers, is_inverted, is_transposed: entry.is_transposed }
    }
}

/// Whether a number is whole, but for a float's rounding.
fn is_round(number: f64) -> bool {
    (number - number.round()).abs() < 1e-4
}

/// The nearest whole number; no negative zero.
fn whole(number: f64) -> f64 {
    number.round() + 0.0
}

/// With as many digits as people write.
fn rounded(number: f64) -> f64 {
    (number * 1e5).round() / 1e5 + 0.0
}

impl fmt::Display for Form {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let list = |numbers: &[f64]| numbers.iter().map(f64::to_string).collect::<Vec<_>>().join(",");
        match &self.numbers {
            Numbers::Range(low, high) => write!(f, "{low}..{high}")?,
            Numbers::Normalized(mean, std) => write!(f, "{}/{}", list(mean), list(std))?,
        }
        let words = [(self.is_inverted, ",inverted"), (self.is_transposed, ",transposed")];
        words.iter().filter(|(is, _)| *is).try_for_each(|(_, word)| f.write_str(word))
    }
}

impl FromStr for Form {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let unknown = || {
            format!(
                "{text:?} is no form of input: use 0..1, 0..255, -1..1 or another range, MEAN/STD with a number or one a \
                 channel (0.1307/0.3081), and behind it, if so, inverted and transposed (0..1,inverted)"
            )
        };
        let words: Vec<&str> = text.split(',').map(str::trim).collect();
        let count = words.iter().take_while(|word| !["inverted", "transposed"].contains(word)).count();
        let (numbers, words) = (words[..count].join(","), &words[count..]);
        let mut form = Self::default();
        for word in words {
            match *word {
                "inverted" => form.is_inverted = true,
                "transposed" => form.is_transposed = true,
                _ => return Err(unknown()),
            }
        }
        let list = |text: &str| -> Option<Vec<f64>> {
            text.split(',').map(|number| number.parse().ok().filter(|number: &f64| number.is_finite())).collect()
        };
        if let Some((low, high)) = numbers.split_once("..") {
            match (list(low).as_deref(), list(high).as_deref()) {
                (Some(&[low]), Some(&[high])) if low < high => form.numbers = Numbers::Range(low, high),
                _ => return Err(unknown()),
            }
        } else if let Some((mean, std)) = numbers.split_once('/') {
            match (list(mean), list(std)) {
                (Some(mean), Some(std))
                    if std.iter().all(|&std| std > 0.0)
                        && (mean.len() == std.len() || mean.len() == 1 || std.len() == 1) =>
                {
                    form.numbers = Numbers::Normalized(mean, std);
                }
                _ => return Err(unknown()),
            }
        } else if !numbers.is_empty() || count > 0 {
            return Err(unknown());
        }
        Ok(form)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ends(text: &str) -> [f32; 2] {
        let entry = text.parse::<Form>().unwrap().entry();
        [entry.real(0, 0), entry.real(255, 0)]
    }

    #[test]
    fn forms_say_what_bytes_become() {
        assert_eq!(ends("0..1"), [0.0, 1.0]);
        assert_eq!(ends("0..255"), [0.0, 255.0]);
        assert_eq!(ends("-1..1,inverted"), [1.0, -1.0]);
        assert_eq!(ends("0.5/0.5"), [-1.0, 1.0]);
        assert_eq!(ends("127.5/127.5"), [-1.0, 1.0]);
        assert_eq!(ends("inverted"), [1.0, 0.0]);
        let [low, high] = ends("0.1307/0.3081");
        assert!((low + 0.4242).abs() < 1e-4 && (high - 2.8215).abs() < 1e-4, "{low} {high}");
        let entry = "0.485,0.456,0.406/0.229,0.224,0.225,transposed".parse::<Form>().unwrap().entry();
        assert!(entry.is_transposed && entry.scale.len() == 3);
        assert!((entry.real(255, 2) - (1.0 - 0.406) / 0.225).abs() < 1e-6);
    }

    #[test]
    fn what_is_written_is_read_again() {
        for text in
            ["0..1", "0..255", "-1..1", "-128..127", "0.1307/0.3081", "0.5,0.25/0.5,0.125", "0..1,inverted,transposed"]
        {
            let form: Form = text.parse().unwrap();
            assert_eq!(form.to_string(), text);
            let again = Form::of(&form.entry());
            assert_eq!(again.to_string(), text);
        }
        assert_eq!(
            Form::of(&"0.1307/0.3081,inverted".parse::<Form>().unwrap().entry()).to_string(),
            "0.1307/0.3081,inverted"
        );
    }

    #[test]
    fn what_is_no_form_is_refused() {
        for text in ["", "1", "1..0", "a..b", "0.5/0", "0..1,upside", "0.5/inf", "1,2/1,2,3", "0..1,inverted,0.5", ".."]
        {
            assert!(text.parse::<Form>().is_err(), "{text}");
        }
    }
}
