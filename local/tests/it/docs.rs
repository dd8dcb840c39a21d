//! The documents say what the code does. (Error reasons: `shared::http::error`.)

use std::path::Path;

use local::template::Template;
use regex::Regex;
use serde_json::Value;
use shared::config::NAMES;
use shared::http::routes::ROUTES;

const README: &str = include_str!("../../../README.md");

/// (`parameters` compares the template's defaults with the code's.)
#[test]
fn the_readme_names_every_setting_and_parameter_with_its_default() {
    let template = Template::read().unwrap();
    let parameters = template.document["Parameters"].as_object().unwrap();
    let plain = |name: &str| name.replace('_', "").to_uppercase();
    let is_setting = |parameter: &str| NAMES.iter().any(|name| plain(name) == plain(parameter));
    let others = parameters.keys().map(String::as_str).filter(|parameter| !is_setting(parameter));
    for name in NAMES.into_iter().chain(others) {
        let row = README.lines().find(|line| line.starts_with("| `") && line.contains(&format!("`{name}`")));
        let row = row.unwrap_or_else(|| panic!("README.md lacks {name}"));
        let parameter = parameters.iter().find(|(parameter, _)| plain(parameter) == plain(name));
        let default = parameter.map_or(&Value::Null, |(_, rule)| &rule["Default"]);
        let default = default.as_str().map_or_else(|| default.to_string(), str::to_owned);
        let cell = row.rsplit('|').nth(1).unwrap().trim();
        let expected = match (name, default.as_str()) {
            ("APP_ID" | "API_KEY", "") => "made at deployment",
            ("SMS_COUNTRIES", "") => "`US,CA` and the default country",
            ("PUMPING_MODE", "") => "prefixes `refuse`, countries `monitor`; with a captcha both `refuse`",
            (_, "" | "null") => "none",
            (_, default) => default,
        };
        assert!(cell == expected || cell == format!("`{expected}`"), "{row} is not {expected}");
    }
}

/// `./deploy --plan` prints this table.
#[test]
fn the_idle_costs_add_up_and_count_what_the_template_makes() {
    let (_, table) = include_str!("../../../docs/cost.md").split_once("## Idle, a month").unwrap();
    let rows =
        table.lines().skip_while(|line| !line.starts_with("| ---")).skip(1).take_while(|line| line.starts_with('|'));
    let rows: Vec<Vec<_>> =
        rows.map(|row| row.split('|').map(|cell| cell.trim_matches([' ', '*'])).collect()).collect();
    let (total, rows) = rows.split_last().unwrap();
    for column in [3, 4] {
        let cents = |row: &Vec<&str>| (row[column].parse::<f64>().unwrap() * 100.0).round() as i64;
        assert_eq!(rows.iter().map(cents).sum::<i64>(), cents(total), "column {column}");
    }
    let template = Template::read().unwrap();
    let alarms: Vec<_> = template.of_type("AWS::CloudWatch::Alarm").map(|(_, alarm)| alarm).collect();
    let metrics = |alarm: &Value| {
        let parts = alarm["Metrics"].as_array().into_iter().flatten();
        parts.filter(|part| part["MetricStat"].is_object()).count().max(1)
    };
    let watched: usize = alarms.iter().copied().map(metrics).sum();
    assert!(rows.iter().any(|row| row[1] == format!("{watched} metrics in {} alarms", alarms.len())), "{watched}");
    let always = |secret: &&str| template.document["Resources"][*secret]["Condition"].is_null();
    let secrets = template.of_type("AWS::SecretsManager::Secret").map(|(logical_id, _)| logical_id).filter(always);
    assert!(rows[0][1].starts_with(&format!("{} secrets ", secrets.count())), "{}", rows[0][1]);
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

/// A link is relative to its page. A path in backticks is below one of these folders.
#[test]
fn every_file_that_the_documents_name_exists() {
    const FOLDERS: [&str; 5] = ["", "shared/src", "shared/phone-number", "local/tests/it", "functions/login-phone"];
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let pages = std::fs::read_dir(root.join("docs")).unwrap().map(|entry| entry.unwrap().path());
    let pages = pages.filter(|path| path.extension().is_some_and(|extension| extension == "md"));
    let name = r"\]\(([^):#]+)[)#]|`([\w.-]+/[\w./-]*[a-z/]|\w+\.(?:rs|toml|yaml|md))(?: [^`]*)?`";
    let name = Regex::new(name).unwrap();
    let mut named = 0;
    for page in pages.chain([root.join("README.md")]) {
        for captures in name.captures_iter(&std::fs::read_to_string(&page).unwrap()) {
            let exists = captures.get(1).map_or_else(
                || FOLDERS.iter().any(|folder| root.join(folder).join(&captures[2]).exists()),
                |link| page.with_file_name(link.as_str()).exists(),
            );
            assert!(exists || captures[0].contains("NAME"), "{} names {}", page.display(), &captures[0]);
            named += 1;
        }
    }
    assert!(named > 150, "{named}");
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
