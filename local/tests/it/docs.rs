//! The documents say what the code does. (Error reasons: `shared::http::error`.)

use std::path::Path;

use local::template::Template;
use serde_json::Value;
use shared::config::NAMES;
use shared::http::routes::ROUTES;

const README: &str = include_str!("../../../README.md");

/// (`parameters` compares the template's defaults with the code's.)
#[test]
fn the_readme_names_every_setting_with_its_default() {
    let template = Template::read().unwrap();
    for name in NAMES {
        let row = README.lines().find(|line| line.starts_with("| `") && line.contains(&format!("`{name}`")));
        let row = row.unwrap_or_else(|| panic!("README.md lacks {name}"));
        let mut parameters = template.document["Parameters"].as_object().unwrap().iter();
        let parameter = parameters.find(|(parameter, _)| parameter.to_uppercase() == name.replace('_', ""));
        let default = parameter.map_or(&Value::Null, |(_, rule)| &rule["Default"]);
        let default = default.as_str().map_or_else(|| default.to_string(), str::to_owned);
        let cell = row.rsplit('|').nth(1).unwrap().trim();
        let expected = match (name, default.as_str()) {
            ("APP_ID" | "API_KEY", "") => "made at deployment",
            ("SMS_COUNTRIES", "") => "`US,CA` and the default country",
            (_, "" | "null") => "none",
            (_, default) => default,
        };
        assert!(cell == expected || cell == format!("`{expected}`"), "{row} is not {expected}");
    }
}

#[test]
fn the_readme_names_every_route_and_the_stack_s_key() {
    for route in &ROUTES {
        assert!(
            README.contains(&format!("{}`", route.path))
                || README.contains(&format!("{} {}", route.method, route.path)),
            "README.md lacks {}",
            route.path
        );
    }
    assert!(README.contains(&format!("Bearer {}", local::MESSAGE_KEY)));
}

/// Each row of `docs/security.md` names its tests: a file, then functions in it.
#[test]
fn every_test_that_the_security_page_names_exists() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut named = 0;
    for row in include_str!("../../../docs/security.md").lines().filter(|line| line.starts_with("| ")) {
        let mut source = String::new();
        for word in row.split('`').skip(1).step_by(2) {
            if word.ends_with(".rs") {
                let paths = ["tests/it", "../shared/src", ".."].map(|folder| root.join(folder).join(word));
                let path = paths.iter().find(|path| path.exists()).unwrap_or_else(|| panic!("{word}"));
                source = std::fs::read_to_string(path).unwrap();
            } else if !source.is_empty()
                && word.contains('_')
                && word.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_')
            {
                assert!(source.contains(&format!("fn {word}(")), "{word} of {row}");
                named += 1;
            }
        }
    }
    assert!(named > 70, "{named}");
}
