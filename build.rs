//! Gives the shared library its SONAME and, with the `symbol-versions`
//! feature, its version nodes; plain `cargo build` must yield a linkable
//! library too, so none of this lives in a wrapper script only. And says once
//! how this platform watches descriptors: `cfg(backend = "...")`.

use std::{env, fs, path::PathBuf};

/// One node per release, only ever appended to.
const VERSION_NODES: &str = "COLOOP_0 { };\n";

const BACKENDS: [&str; 4] = ["epoll", "kqueue", "poll", "iocp"];

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    let os = env::var("CARGO_CFG_TARGET_OS").unwrap_or_default();
    println!("cargo::rustc-check-cfg=cfg(backend, values(\"{}\"))", BACKENDS.join("\",\""));
    println!("cargo::rustc-cfg=backend=\"{}\"", backend(&os));
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

/// The one that polling chooses, too. Its switch for the portable one is ours
/// as well: so that path runs, and is tested, where there is a better one.
fn backend(os: &str) -> &'static str {
    if env::var_os("CARGO_CFG_POLLING_TEST_POLL_BACKEND").is_some() {
        return "poll";
    }
    match os {
        "linux" | "android" => "epoll",
        "macos" | "ios" | "tvos" | "watchos" | "visionos" => "kqueue",
        "freebsd" | "netbsd" | "openbsd" | "dragonfly" => "kqueue",
        "windows" => "iocp",
        _ => "poll",
    }
}
