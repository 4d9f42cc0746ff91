//! What a digit is, on RISC-V.
#![no_std]
#![no_main]

use riscv as _;
use riscv_rt::entry;
use semihosting::{println, process};
use thumbnet::{Model, Network, include_model};

const DIGIT: Model = include_model!("../../digit.tnet");

#[entry]
fn main() -> ! {
    let mut arena = [0; DIGIT.arena_len()];
    let mut network = Network::new(&DIGIT, &mut arena).unwrap();
    let answer = network.classify(include_bytes!("../../seven.image")).unwrap();
    println!("a {}", answer.class());
    process::exit(0)
}
