//! Dependencies point downwards only: what each crate may not know, read from `cargo metadata`.

use std::collections::{BTreeMap, BTreeSet};

use cargo_metadata::{DependencyKind, MetadataCommand};

/// The crates from the bottom to the top; a crate may depend only on crates of lower layers.
const LAYERS: &[&[&str]] = &[
    &["types"],
    &["datetime"],
    &["state", "connectors"],
    &["plan", "storage"],
    &["operators", "catalog"],
    &["dataflow", "sql"],
    &["engine"],
    &["pgwire"],
    &["server", "sql-tests"],
    &["flights"],
];

/// What a crate may not know, neither directly nor through others of ours.
const FORBIDDEN: &[(&str, &[&str])] = &[
    ("types", &["timely", "tokio", "datafusion", "pgwire", "sqlparser"]),
    ("storage", &["timely", "datafusion", "sqlparser", "pgwire", "springtide-plan"]),
    ("state", &["timely", "tokio", "datafusion", "pgwire", "springtide-operators"]),
    ("plan", &["timely", "tokio", "pgwire", "springtide-storage"]),
    ("operators", &["timely", "tokio", "pgwire", "springtide-storage"]),
    ("dataflow", &["pgwire", "sqlparser", "springtide-sql"]),
    ("catalog", &["timely", "pgwire"]),
    ("sql", &["timely", "pgwire", "springtide-dataflow"]),
    ("engine", &["pgwire", "springtide-pgwire"]),
    ("connectors", &["timely", "datafusion", "sqlparser", "pgwire", "springtide-catalog"]),
];

/// What a crate may not name itself, though crates below it do.
const FORBIDDEN_DIRECTLY: &[(&str, &[&str])] = &[
    ("engine", &["timely"]),
    ("pgwire", &["timely", "springtide-dataflow"]),
    ("server", &["timely", "springtide-dataflow"]),
    ("sql-tests", &["timely", "springtide-dataflow"]),
];

/// Crates of the workspace and what each one names as a normal dependency.
fn workspace() -> BTreeMap<String, BTreeSet<String>> {
    let metadata = MetadataCommand::new().no_deps().exec().expect("cargo metadata runs");
    let normal = |package: &cargo_metadata::Package| {
        let dependencies = package.dependencies.iter();
        dependencies.filter(|d| d.kind == DependencyKind::Normal).map(|d| d.name.clone()).collect()
    };
    metadata.packages.iter().map(|package| (package.name.to_string(), normal(package))).collect()
}

/// What `package` depends on, directly or through crates of the workspace. Dependencies of foreign crates do
/// not count: that DataFusion uses tokio is no matter of our layers.
fn reachable(package: &str, workspace: &BTreeMap<String, BTreeSet<String>>) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let mut pending = vec![package.to_owned()];
    while let Some(name) = pending.pop() {
        for dependency in workspace.get(&name).into_iter().flatten() {
            if found.insert(dependency.clone()) {
                pending.push(dependency.clone());
            }
        }
    }
    found
}

fn package(short: &str) -> String {
    format!("springtide-{short}")
}

#[test]
fn every_crate_depends_on_lower_layers_only() {
    let workspace = workspace();
    let layer =
        |name: &str| LAYERS.iter().position(|crates| crates.iter().any(|short| package(short) == name));
    for (name, dependencies) in &workspace {
        let own = layer(name).unwrap_or_else(|| panic!("{name} is in no layer: add it to LAYERS"));
        for dependency in dependencies.iter().filter(|dependency| workspace.contains_key(*dependency)) {
            let below = layer(dependency).expect("checked above");
            assert!(below < own, "{name} may not depend on {dependency}: it is not below it");
        }
    }
}

#[test]
fn no_crate_knows_what_it_may_not_know() {
    let workspace = workspace();
    for (short, forbidden) in FORBIDDEN {
        let known = reachable(&package(short), &workspace);
        for name in *forbidden {
            assert!(!known.contains(*name), "{short} may not know {name}, not even through a crate of ours");
        }
    }
    for (short, forbidden) in FORBIDDEN_DIRECTLY {
        let known = workspace.get(&package(short)).cloned().unwrap_or_default();
        for name in *forbidden {
            assert!(!known.contains(*name), "{short} may not depend on {name}");
        }
    }
}

#[test]
fn one_crate_alone_knows_each_runtime() {
    let workspace = workspace();
    for (foreign, owner) in [("timely", "dataflow"), ("pgwire", "pgwire")] {
        for (name, dependencies) in &workspace {
            let allowed = *name == package(owner) || !dependencies.contains(foreign);
            assert!(allowed, "{foreign} belongs to {owner} alone, but {name} names it");
        }
    }
}
