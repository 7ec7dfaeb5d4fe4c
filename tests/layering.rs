//! Imports go downward only: ffi → runner → policy → services → event_loop →
//! leaves; a leaf uses leaves, and none of them in a circle. Among services the
//! order is that of `SERVICES`. The map is in `src/lib.rs`.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

const LAYERS: [&str; 5] = ["ffi", "runner", "policy", "services", "event_loop"];

/// Services, those that use others first: each may use only what stands in a
/// later line.
const SERVICES: &[&[&str]] = &[
    &["subprocess", "net"],
    &["transport"],
    &["dns", "sockets"],
    &["concurrent"],
    &["task", "combine", "finalizers", "executor", "signals", "children", "watchdog"],
    &["future"],
];

/// 0 for a leaf, more for what stands above it.
fn height(room: &str) -> usize {
    LAYERS.iter().position(|layer| *layer == room).map_or(0, |position| LAYERS.len() - position)
}

/// Each room with the rooms it names in its code (comments and tests left out).
fn imports() -> BTreeMap<String, BTreeSet<String>> {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut imports: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let mut folders = vec![src.clone()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let inside = path.strip_prefix(&src).unwrap().with_extension("");
            let room = inside.iter().next().unwrap().to_str().unwrap().to_owned();
            if room == "lib" || room.ends_with("_model") {
                continue;
            }
            let text = fs::read_to_string(&path).unwrap();
            let code = text.split("#[cfg(test)]").next().unwrap();
            let code = code.lines().filter(|line| !line.trim_start().starts_with("//"));
            let code = code.collect::<Vec<_>>().join("\n");
            let named = imports.entry(room.clone()).or_default();
            for after in code.split("crate::").skip(1) {
                // Either one path, or a list of them in braces.
                let list = after.strip_prefix('{').and_then(|rest| rest.split('}').next());
                for path in list.unwrap_or(after).split(',') {
                    let word: String = path
                        .trim()
                        .chars()
                        .take_while(|c| c.is_ascii_alphanumeric() || *c == '_')
                        .collect();
                    if !word.is_empty() && word != room {
                        named.insert(word);
                    }
                    if list.is_none() {
                        break;
                    }
                }
            }
        }
    }
    imports
}

#[test]
fn imports_go_downward() {
    for (room, named) in imports() {
        for other in named {
            let allowed = match (height(&room), height(&other)) {
                (0, 0) => true,
                (own, its) => own > its,
            };
            assert!(allowed, "src/{room} must not use crate::{other}");
        }
    }
}

#[test]
fn services_use_only_what_stands_below_them() {
    let services = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/services");
    let rank = |name: &str| SERVICES.iter().position(|line| line.contains(&name));
    let mut folders = vec![services.clone()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let inside = path.strip_prefix(&services).unwrap().with_extension("");
            let service = inside.iter().next().unwrap().to_str().unwrap().to_owned();
            if service == "mod" || service.ends_with("_model") {
                continue;
            }
            let own = rank(&service).unwrap_or_else(|| panic!("{service} is not in SERVICES"));
            for after in fs::read_to_string(&path).unwrap().split("services::").skip(1) {
                let other: String =
                    after.chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '_').collect();
                let other_rank = rank(&other).unwrap_or_else(|| panic!("{service} uses {other}"));
                assert!(
                    other == service || own < other_rank,
                    "services/{service} must not use services::{other}"
                );
            }
        }
    }
}

#[test]
fn leaves_form_no_circle() {
    let mut leaves: BTreeMap<String, BTreeSet<String>> =
        imports().into_iter().filter(|(room, _)| height(room) == 0).collect();
    let names: BTreeSet<String> = leaves.keys().cloned().collect();
    for named in leaves.values_mut() {
        named.retain(|other| names.contains(other));
    }
    while !leaves.is_empty() {
        let free: Vec<String> = leaves
            .iter()
            .filter(|(_, named)| named.iter().all(|other| !leaves.contains_key(other)))
            .map(|(room, _)| room.clone())
            .collect();
        assert!(!free.is_empty(), "these import each other: {:?}", leaves.keys());
        for room in free {
            leaves.remove(&room);
        }
    }
}

#[test]
fn the_map_names_every_room() {
    let map = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("src/lib.rs")).unwrap();
    for room in imports().keys() {
        assert!(map.contains(&format!("`{room}`")), "src/lib.rs does not list {room}");
    }
}

#[test]
fn no_file_is_longer_than_600_lines() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut folders: Vec<_> =
        ["src", "tests", "examples", "benches", "include"].map(|name| root.join(name)).to_vec();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let extension = path.extension().and_then(|extension| extension.to_str());
            if matches!(extension, Some("rs" | "c" | "py" | "sh")) {
                let lines = fs::read_to_string(&path).unwrap().lines().count();
                assert!(lines <= 600, "{} has {lines} lines", path.display());
            }
        }
    }
}
