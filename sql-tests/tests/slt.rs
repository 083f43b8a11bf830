//! Our own sqllogictest files, both ways, and the public suites that must pass in full.

use std::path::{Path, PathBuf};

use springtide_sql_tests::slt::{Restarts, SuiteReport, Transport, files, run_file};

fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
}

async fn run_all(suites: &[PathBuf], transport: Transport, workers: usize) {
    let mut suite = SuiteReport::default();
    for path in suites {
        for file in files(path).expect("the suite is a file or folder") {
            suite.files.push(run_file(&file, transport, workers).await);
        }
    }
    assert!(!suite.files.is_empty(), "no files in {suites:?}");
    for file in &suite.files {
        println!("{file}");
    }
    assert_eq!(suite.failed(), 0, "{suite}\n{}", suite.failures());
}

/// After a crash a sequence leaves out numbers, and so files of which that can't be said are in a folder apart.
fn own_folders() -> [PathBuf; 3] {
    ["slt", "regress", "sequences"].map(folder)
}

#[tokio::test(flavor = "multi_thread")]
async fn own_files_in_process() {
    run_all(&own_folders(), Transport::InProcess, 1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn own_files_over_the_wire() {
    run_all(&own_folders(), Transport::Wire, 2).await;
}

/// A crash between any two records changes no answer.
#[tokio::test(flavor = "multi_thread")]
async fn own_files_with_crashes() {
    let restarts = Restarts { every: 25, seed: 7 };
    run_all(&[folder("slt")], Transport::Restarting(restarts), 2).await;
}

/// The public suites lie next to the repository where they are at hand at all.
#[tokio::test(flavor = "multi_thread")]
async fn public_suites_over_the_wire() {
    let public = folder("../../shared/slt");
    if !public.is_dir() {
        println!("note: {} is not here, so the public suites are skipped", public.display());
        return;
    }
    let mut suites = files(&public.join("risinglight/pg")).expect("the suite is a folder");
    suites.push(public.join("nexmark/slt"));
    suites.extend((1..=5).map(|number| public.join(format!("sqlite/pg/select{number}.slt"))));
    run_all(&suites, Transport::Wire, 2).await;
}
