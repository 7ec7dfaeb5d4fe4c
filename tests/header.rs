//! `include/coloop.h` is what cbindgen makes of `src/ffi`. `COLOOP_UPDATE=1`
//! writes it instead of comparing.

use std::{env, fs, path::Path};

/// The files of the C ABI in the header's order, as `src/ffi/mod.rs` lists them.
fn sources(root: &Path) -> Vec<String> {
    let ffi = fs::read_to_string(root.join("src/ffi/mod.rs")).unwrap();
    ffi.lines()
        .filter_map(|line| line.strip_prefix("pub mod ")?.strip_suffix(';'))
        .map(|name| root.join(format!("src/ffi/{name}.rs")).to_str().unwrap().to_owned())
        .collect()
}

#[test]
fn the_committed_header_is_the_generated_one() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let config = cbindgen::Config::from_file(root.join("cbindgen.toml")).unwrap();
    let builder = cbindgen::Builder::new().with_config(config);
    let builder = sources(root).into_iter().fold(builder, |builder, path| builder.with_src(path));
    let mut generated = Vec::new();
    builder.generate().unwrap().write(&mut generated);
    let generated = String::from_utf8(generated).unwrap();

    let path = root.join("include/coloop.h");
    if env::var_os("COLOOP_UPDATE").is_some() {
        fs::write(&path, &generated).unwrap();
    }
    let committed = fs::read_to_string(&path).unwrap();
    assert!(committed == generated, "include/coloop.h is out of date: run `make header`");
}
