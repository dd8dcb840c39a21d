//! Who may know what in `shared`: checks its sources. The map is in shared/src/lib.rs.

use std::path::{Path, PathBuf};

/// Words, and the only folders and files of shared/src that may contain them.
const KNOWN_ONLY_TO: [(&[&str], &[&str]); 3] = [
    (&["StatusCode", "lambda_http::http"], &["http/", "plivo/"]),
    (&["aws_sdk_dynamodb"], &["store/", "aws/", "app.rs"]),
    (&["/v1/Account/{", "\"Message/"], &["plivo/"]),
];

/// Folders of shared/src, and what they may not import.
const FORBIDDEN: [(&str, &[&str]); 2] = [
    ("spend/", &["crate::store", "crate::aws", "crate::http::", "crate::auth", "crate::plivo"]),
    ("store/", &["crate::auth", "crate::http::", "crate::plivo", "crate::messaging"]),
];

fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { sources(&path, found) } else { found.push(path) }
    }
}

#[test]
fn nobody_imports_against_the_arrows() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/src");
    let mut files = Vec::new();
    sources(&root, &mut files);
    files.retain(|path| path.extension().is_some_and(|extension| extension == "rs"));
    for path in &files {
        let name = path.strip_prefix(&root).unwrap().to_str().unwrap();
        let is_below = |place: &&str| name.starts_with(place);
        let known = KNOWN_ONLY_TO.iter().filter(|(_, places)| !places.iter().any(is_below));
        let forbidden = FORBIDDEN.iter().filter(|(folder, _)| is_below(folder)).map(|(_, words)| words);
        let words: Vec<_> = known.map(|(words, _)| words).chain(forbidden).copied().flatten().collect();
        let source = std::fs::read_to_string(path).unwrap();
        for line in source.lines().filter(|line| !line.trim_start().starts_with("//")) {
            assert!(!line.contains("use crate::{"), "{name}: one import a line, so that this test sees it: {line}");
            assert!(!words.iter().any(|word| line.contains(**word)), "{name}: {line}");
        }
    }
    assert!(files.len() > 50, "{files:?}");
}
