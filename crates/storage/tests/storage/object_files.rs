//! Files in a bucket.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use object_store::memory::InMemory;
use springtide_storage::{ClaimError, Files, History, Manifest, ObjectFiles, Owner};

const ROOT: &str = "s3://tide/data";

fn at(store: &Arc<InMemory>) -> ObjectFiles {
    ObjectFiles::new(store.clone(), "data".into(), Path::new(ROOT)).unwrap()
}

fn owner(log: &str) -> Owner {
    Owner { log: log.to_owned(), place: format!("/logs/{log}") }
}

fn path(name: &str) -> PathBuf {
    Path::new(ROOT).join(name)
}

#[test]
fn files_are_what_was_put() {
    let files = at(&Arc::new(InMemory::new()));
    assert_eq!(files.read(&path("history/a")).unwrap_err().kind(), ErrorKind::NotFound);
    assert_eq!(files.list(&path("history")).unwrap(), Vec::<String>::new());
    let large = (0..40 << 20).map(|position: u32| ((position * 31) >> 8) as u8).collect::<Vec<_>>();
    for (name, bytes) in [("b.1/x", &b"one"[..]), ("Käse [1]%20.2/y", b"two"), ("a", b""), ("large", &large)]
    {
        files.put(&path("history").join(name), bytes).unwrap();
        assert!(files.read(&path("history").join(name)).unwrap() == bytes, "{name}");
    }
    assert_eq!(files.list(&path("history")).unwrap(), ["Käse [1]%20.2", "a", "b.1", "large"]);
    assert_eq!(files.list(&path("history/Käse [1]%20.2")).unwrap(), ["y"]);
    files.put(&path("history/a"), b"new").unwrap();
    assert_eq!(files.read(&path("history/a")).unwrap(), b"new");
    files.remove(&path("history/a")).unwrap();
    assert_eq!(files.read(&path("history/a")).unwrap_err().kind(), ErrorKind::NotFound);
    assert_eq!(files.read(Path::new("/etc/passwd")).unwrap_err().kind(), ErrorKind::InvalidInput);
    assert_eq!(files.read(&path("../other")).unwrap_err().kind(), ErrorKind::InvalidInput);
}

#[test]
fn a_bucket_belongs_to_one_log() {
    let store = Arc::new(InMemory::new());
    let (first, second) = (at(&store), at(&store));
    first.claim(&owner("first"), false).unwrap();
    first.put(&path("a"), b"1").unwrap();
    match second.claim(&owner("second"), false) {
        Err(ClaimError::Owned(found)) => assert_eq!(found, owner("first")),
        other => panic!("{other:?}"),
    }
    // The same log comes back, to take over what is its own already changes nothing.
    at(&store).claim(&owner("first"), false).unwrap();
    at(&store).claim(&owner("first"), true).unwrap();
    first.put(&path("a"), b"2").unwrap();

    second.claim(&owner("second"), true).unwrap();
    second.put(&path("a"), b"3").unwrap();
    for changed in [first.put(&path("a"), b"4"), first.remove(&path("a"))] {
        let error = changed.unwrap_err();
        assert!(error.to_string().contains("taken over by the log in /logs/second"), "{error}");
    }
    assert_eq!(first.read(&path("a")).unwrap(), b"3");
}

#[test]
fn many_claims_at_once_have_one_winner() {
    let store = Arc::new(InMemory::new());
    let claim = |log: usize| at(&store).claim(&owner(&log.to_string()), false).is_ok();
    let won = std::thread::scope(|scope| {
        let threads = (0..8).map(|log| scope.spawn(move || claim(log))).collect::<Vec<_>>();
        threads.into_iter().map(|thread| thread.join().unwrap()).filter(|won| *won).count()
    });
    assert_eq!(won, 1);
}

#[test]
fn a_damaged_owner_is_refused() {
    let store = Arc::new(InMemory::new());
    at(&store).put(&path("owner.json"), b"{").unwrap();
    assert!(matches!(at(&store).claim(&owner("a"), false), Err(ClaimError::Io(_))));
}

#[test]
fn a_history_can_be_in_a_bucket() {
    let store = Arc::new(InMemory::new());
    let open = || History::open(Arc::new(at(&store)), Path::new(ROOT)).unwrap();
    assert!(!History::is_in(&at(&store), Path::new(ROOT)).unwrap());
    let (history, manifest) = open();
    assert!(manifest.is_none());
    for epoch in 1..5 {
        history.install(&Manifest::new(epoch)).unwrap();
    }
    assert_eq!(open().1, Some(Manifest::new(4)));
    assert!(History::is_in(&at(&store), Path::new(ROOT)).unwrap());
    assert_eq!(at(&store).list(&path("manifest")).unwrap().len(), 2);
}

#[test]
fn a_url_that_is_none_is_refused() {
    for url in ["s3//bucket", "ftp://host/x", "gs://bucket/x"] {
        let error = ObjectFiles::in_s3(url, []).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput, "{url}: {error}");
    }
}
