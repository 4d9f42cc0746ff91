//! What a caller does wrong is an error, and leaves nothing behind.

#![allow(unsafe_code, reason = "it calls what C calls")]

use std::ffi::CStr;
use std::mem::MaybeUninit;
use std::ptr::{null, null_mut};

use thumbnet_c::*;

const OUTPUTS: usize = 10;

#[repr(align(16))]
struct Aligned<T: ?Sized>(T);

static FILE: &Aligned<[u8]> = &Aligned(*include_bytes!("../../tests/samples/v2-nano.tnet"));

fn zeroed<T>() -> Box<T> {
    // SAFETY: this is for the structures of C, which are words.
    unsafe { Box::new(MaybeUninit::zeroed().assume_init()) }
}

fn parsed() -> Box<ThumbnetModel> {
    let mut model: Box<ThumbnetModel> = zeroed();
    // SAFETY: all of it is there.
    assert_eq!(unsafe { thumbnet_parse(&mut *model, FILE.0.as_ptr(), FILE.0.len()) }, Thumbnet::Ok);
    model
}

#[test]
fn a_model_that_is_none_says_what_is_wrong() {
    let mut model = parsed();
    let mut damaged = Box::new(Aligned([0; 1024]));
    damaged.0.copy_from_slice(&FILE.0[..1024]);
    let bytes = damaged.0.as_mut_ptr();
    // SAFETY: all of it is there.
    unsafe {
        assert_eq!(thumbnet_parse(null_mut(), bytes, 1024), Thumbnet::Null);
        assert_eq!(thumbnet_parse(&mut *model, null(), 1024), Thumbnet::Null);
        assert_eq!(thumbnet_parse(&mut *model, bytes.add(1), 1000), Thumbnet::Misaligned);
        assert_eq!(thumbnet_parse(&mut *model, bytes, usize::MAX), Thumbnet::WrongLength);
        assert_eq!(thumbnet_parse(&mut *model, bytes, 1024), Thumbnet::Length);
        assert_eq!(thumbnet_parse(&mut *model, bytes, 0), Thumbnet::NotAModel);
        // The model that was there before is not.
        assert_eq!(thumbnet_arena_len(&*model), 0);
        assert_eq!(thumbnet_input(&*model), ThumbnetShape::default());
    }
}

#[test]
fn a_network_takes_only_memory_of_its_own() {
    let model = parsed();
    let mut network: Box<ThumbnetNetwork> = zeroed();
    let mut arena = Box::new(Aligned([0u8; 16 * 1024]));
    let (network, start): (*mut ThumbnetNetwork, _) = (&mut *network, arena.0.as_mut_ptr());
    let mut logits = [0i32; OUTPUTS];
    let mut class = 0;
    // SAFETY: all of it is there.
    unsafe {
        let len = thumbnet_arena_len(&*model);
        assert_eq!(thumbnet_step(network), Thumbnet::NotReady);
        assert_eq!(thumbnet_init(network, null(), start, len), Thumbnet::Null);
        assert_eq!(thumbnet_init(network, &*model, null_mut(), len), Thumbnet::Null);
        assert_eq!(thumbnet_init(network, &*model, start.add(2), len), Thumbnet::Misaligned);
        assert_eq!(thumbnet_init(network.byte_add(1), &*model, start, len), Thumbnet::Misaligned);
        assert_eq!(thumbnet_init(network, &*model, start, len - 1), Thumbnet::ArenaTooSmall);
        assert_eq!(thumbnet_init(network, &*model, network.cast(), len), Thumbnet::Overlap);
        assert_eq!(thumbnet_init(network, &*model, FILE.0.as_ptr().cast_mut(), len), Thumbnet::Overlap);
        let empty: Box<ThumbnetModel> = zeroed();
        assert_eq!(thumbnet_init(network, &*empty, start, len), Thumbnet::NotReady);
        assert_eq!(thumbnet_begin(network), Thumbnet::NotReady);

        assert_eq!(thumbnet_init(network, &*model, start, len), Thumbnet::Ok);
        assert_eq!(thumbnet_outputs(&*model), OUTPUTS);
        let image = [7u8; 784];
        assert_eq!(thumbnet_logits(network, logits.as_mut_ptr(), OUTPUTS), Thumbnet::MissingRows);
        assert_eq!(thumbnet_classify(network, start, 784, &mut class), Thumbnet::Overlap);
        assert_eq!(thumbnet_classify(network, image.as_ptr(), 783, &mut class), Thumbnet::WrongLength);
        assert_eq!(thumbnet_classify(network, image.as_ptr(), 784, null_mut()), Thumbnet::Null);
        assert_eq!(thumbnet_classify(network, image.as_ptr(), 784, &mut class), Thumbnet::Ok);
        assert_eq!(thumbnet_push_row(network, image.as_ptr(), 28), Thumbnet::TooManyRows);
        assert_eq!(thumbnet_logits(network, logits.as_mut_ptr(), OUTPUTS - 1), Thumbnet::WrongLength);
        assert_eq!(thumbnet_logits(network, start.cast(), OUTPUTS), Thumbnet::Overlap);
        assert_eq!(thumbnet_logits(network, logits.as_mut_ptr(), OUTPUTS), Thumbnet::Ok);
        assert_eq!(logits.iter().max(), logits.get(class));
        assert_eq!(thumbnet_begin(network), Thumbnet::Ok);
        assert_eq!(thumbnet_step(network), Thumbnet::NeedsRow);
        assert_eq!(thumbnet_push_row(network, image.as_ptr(), 28), Thumbnet::Ok);
    }
}

#[test]
fn each_status_has_words_of_its_own() {
    // SAFETY: what is returned is text that stays.
    let words = |status| unsafe { CStr::from_ptr(thumbnet_message(status)) }.to_str().expect("it is ASCII");
    let known: Vec<_> = (-100..100).map(words).filter(|text| *text != words(i32::MIN)).collect();
    assert_eq!(known.len(), 19);
    assert!(known.iter().all(|text| known.iter().filter(|other| *other == text).count() == 1));
}
