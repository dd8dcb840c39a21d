//! Runs each target on its corpus.

use std::collections::BTreeSet;
use std::path::Path;

use fuzz::TARGETS;

#[test]
fn the_corpus_is_read_as_promised() {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus");
    for (name, target) in TARGETS {
        let files: Vec<_> = std::fs::read_dir(corpus.join(name)).unwrap().map(|entry| entry.unwrap().path()).collect();
        assert!(files.len() > 3, "{name} has no corpus");
        for file in files {
            let bytes = std::fs::read(&file).unwrap();
            if std::panic::catch_unwind(|| target(&bytes)).is_err() {
                panic!("{} is not read as promised", file.display());
            }
        }
    }
}

#[test]
fn every_corpus_has_its_target_and_every_target_its_binary() {
    let names = |folder: &str| -> BTreeSet<String> {
        let entries = std::fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join(folder)).unwrap();
        entries.map(|entry| entry.unwrap().path().file_stem().unwrap().to_str().unwrap().to_owned()).collect()
    };
    let targets = TARGETS.map(|(name, _)| name.to_owned()).into();
    assert_eq!(names("corpus"), targets);
    assert_eq!(names("libfuzzer/targets"), targets);
}
