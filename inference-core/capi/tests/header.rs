//! The header in the repository is what cbindgen makes of the sources.

use std::path::Path;
use std::{env, fs};

const AGAIN: &str = "THUMBNET_BLESS=1 cargo test -p thumbnet-c --test header";

#[test]
#[cfg_attr(miri, ignore = "nothing of ours runs")]
fn header_is_that_of_the_sources() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let config = cbindgen::Config::from_file(root.join("cbindgen.toml")).expect("cbindgen.toml is there");
    let sources = ["status", "model", "network"].map(|file| root.join("src").join(file).with_extension("rs"));
    let builder =
        sources.into_iter().fold(cbindgen::Builder::new().with_config(config), |all, file| all.with_src(file));
    let mut made = Vec::new();
    builder.generate().expect("cbindgen reads the sources").write(&mut made);
    let made = String::from_utf8(made).expect("C is text");
    let path = root.join("include/thumbnet.h");
    if env::var_os("THUMBNET_BLESS").is_some() {
        fs::create_dir_all(root.join("include")).expect("there is room");
        fs::write(&path, &made).expect("there is room");
    }
    let committed = fs::read_to_string(&path).unwrap_or_default();
    assert!(committed == made, "{} is not what the sources say: `{AGAIN}` writes it", path.display());
}
