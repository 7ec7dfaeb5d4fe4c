//! Gives the shared library its SONAME and, with the `symbol-versions`
//! feature, its version nodes; plain `cargo build` must yield a linkable
//! library too, so none of this lives in a wrapper script only.

use std::{env, fs, path::PathBuf};

/// One node per release, only ever appended to.
const VERSION_NODES: &str = "COLOOP_0 { };\n";

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    let os = env::var("CARGO_CFG_TARGET_OS").unwrap_or_default();
    if !matches!(os.as_str(), "linux" | "android" | "freebsd" | "netbsd" | "openbsd" | "dragonfly")
    {
        return;
    }
    println!("cargo::rustc-cdylib-link-arg=-Wl,-soname,libcoloop.so.0");
    // Threads may still run our code when a host calls dlclose.
    println!("cargo::rustc-cdylib-link-arg=-Wl,-z,nodelete");
    if os == "linux" && env::var_os("CARGO_FEATURE_SYMBOL_VERSIONS").is_some() {
        // The nodes stay empty: rustc passes a version script of its own, and
        // only empty nodes can stand beside it. `.symver` assigns the symbols.
        let map = PathBuf::from(env::var("OUT_DIR").unwrap()).join("coloop.map");
        fs::write(&map, VERSION_NODES).unwrap();
        println!("cargo::rustc-cdylib-link-arg=-Wl,--version-script={}", map.display());
    }
}
