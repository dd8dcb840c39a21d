//! The documents say what the code does.

use shared::config::{NAMES, Settings};
use shared::http::routes::ROUTES;

const README: &str = include_str!("../../../README.md");
const ARCHITECTURE: &str = include_str!("../../../docs/architecture.md");

#[test]
fn the_readme_names_every_setting_with_its_default() {
    let environment = local::environment("http://127.0.0.1:1", "", "", "");
    let defaults =
        Settings::from_lookup(&|name| environment.get(name).filter(|_| name != "PLIVO_API_URL").cloned()).unwrap();
    for name in NAMES {
        assert!(README.contains(&format!("`{name}`")), "README.md lacks {name}");
    }
    for (name, default) in [
        ("PLIVO_API_URL", format!("`{}`", defaults.plivo_api_url)),
        ("APP_NAME", format!("`{}`", defaults.app_name)),
        ("DEFAULT_COUNTRY", format!("`{}`", defaults.default_country.code())),
        ("PHONE_COLUMN", format!("`{}`", defaults.phone_column)),
        ("CODE_LENGTH", defaults.code_length.to_string()),
        ("CODE_LIFE_SECONDS", defaults.code_life.as_secs().to_string()),
        ("SESSION_IDLE_SECONDS", defaults.session_idle.as_secs().to_string()),
        ("SESSION_LIFE_SECONDS", defaults.session_life.as_secs().to_string()),
        ("ALLOWED_ORIGINS", format!("`{}`", defaults.allowed_origins.join(","))),
    ] {
        let row = README.lines().find(|line| line.starts_with(&format!("| `{name}`"))).unwrap();
        assert!(row.ends_with(&format!("| {default} |")), "{row} is not {default}");
    }
}

#[test]
fn the_readme_names_every_route() {
    for route in &ROUTES {
        assert!(
            README.contains(&format!("{}`", route.path))
                || README.contains(&format!("{} {}", route.method, route.path)),
            "README.md lacks {}",
            route.path
        );
    }
}

#[test]
fn the_readme_s_key_is_the_stack_s() {
    assert!(README.contains(&format!("Bearer {}", local::MESSAGE_KEY)));
}

#[test]
fn the_limits_page_counts_the_passwords_that_there_are() {
    let count = include_str!("../../../shared/src/auth/common-passwords.txt").lines().count();
    assert!(ARCHITECTURE.contains(&format!("{},{:03} common ones", count / 1000, count % 1000)), "{count}");
}

#[test]
fn every_function_has_an_event_of_its_name() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let functions = std::fs::read_dir(root.join("functions")).unwrap();
    let mut names: Vec<_> = functions.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort_unstable();
    let mut routed: Vec<_> = ROUTES.iter().map(|route| route.function.to_owned()).collect();
    routed.sort_unstable();
    routed.dedup();
    assert_eq!(names, routed);
    for name in names {
        assert!(root.join(format!("events/{name}.json")).exists(), "{name}");
    }
}

/// `docs/security.md` names a test for each number that it claims: each is there.
#[test]
fn every_test_that_the_security_page_names_exists() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let page = include_str!("../../../docs/security.md");
    let mut named = 0;
    for row in page.lines().filter(|line| line.starts_with("| ")) {
        let mut source = String::new();
        for word in row.split('`').skip(1).step_by(2) {
            let is_name = word.contains('_')
                && word.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_' || byte.is_ascii_digit());
            if word.ends_with(".rs") {
                let read = |folder: &&str| std::fs::read_to_string(root.join(folder).join(word)).ok();
                source =
                    ["local/tests/it", "shared/src", "."].iter().find_map(read).unwrap_or_else(|| panic!("{word}"));
            } else if is_name && !source.is_empty() {
                assert!(source.contains(&format!("fn {word}(")), "{word} of {row}");
                named += 1;
            }
        }
    }
    assert!(named > 70, "{named}");
}
