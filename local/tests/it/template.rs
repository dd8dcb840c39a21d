//! `template.yaml` deploys what the code is: routes, names, permissions, tables, CORS, metrics. (Its parameters: `parameters`.)

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use local::dynamodb::TABLES;
use local::gateway::cors;
use local::template::{ANY, Template, reference};
use serde_json::{Value, json};
use shared::config::{NAMES, RESOURCE_NAMES};
use shared::http::routes::{FALLBACK, ROUTES, Route};
use shared::metrics::SHAPES;

/// The names that the template gives to tables, secrets, queues and metrics.
const RESOURCES: [(&str, &str); 13] = [
    ("USERS_TABLE", "UsersTable"),
    ("PHONES_TABLE", "PhonesTable"),
    ("SESSIONS_TABLE", "SessionsTable"),
    ("CONTROLS_TABLE", "ControlsTable"),
    ("MESSAGES_TABLE", "MessagesTable"),
    ("COUNTERS_TABLE", "CountersTable"),
    ("DECISIONS_TABLE", "DecisionsTable"),
    ("DEAD_LETTER_QUEUE", "DeadLetterQueue"),
    ("DEAD_LETTER_FIFO_QUEUE", "DeadLetterFifoQueue"),
    ("METRICS_NAMESPACE", "Otpost/${AWS::StackName}"),
    ("PLIVO_SECRET", "PlivoSecret"),
    ("ROOT_SECRET", "RootSecret"),
    ("MESSAGE_SECRET", "MessageSecret"),
];

/// The values of dimensions that the dashboard names; reasons are searched for.
const VALUES: [(&str, &[&str]); 4] = [
    ("Flow", &["register", "login", "second_factor", "message"]),
    ("Type", &["sms", "mms"]),
    ("Reason", &[]),
    ("Rule", &[]),
];

fn template() -> Template {
    Template::read().unwrap()
}

fn root() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// The gateway's keys of a route: one below each root.
fn keys(route: &Route) -> Vec<String> {
    let roots = route.roots;
    roots.iter().map(|root| format!("{} {root}{}", route.method, route.path)).collect()
}

fn texts(value: &Value) -> Vec<&str> {
    value.as_array().unwrap().iter().map(|text| text.as_str().unwrap()).collect()
}

#[test]
fn the_routes_are_those_of_the_code() {
    let mut expected: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for route in &ROUTES {
        expected.entry(route.function.to_owned()).or_default().extend(keys(route));
    }
    expected.entry(FALLBACK.to_owned()).or_default().insert("$default".to_owned());
    let deployed = template().functions.into_iter().map(|(name, function)| (name, function.routes));
    assert_eq!(deployed.collect::<BTreeMap<_, _>>(), expected);
}

/// The table of `cargo lambda watch` in Cargo.toml, line by line.
#[test]
fn cargo_lambda_knows_the_same_routes() {
    let manifest = std::fs::read_to_string(root().join("Cargo.toml")).unwrap();
    let (_, table) = manifest.split_once("[workspace.metadata.lambda.watch.router]\n").unwrap();
    let lines: Vec<_> = table.lines().take_while(|line| !line.is_empty()).collect();
    let line = |route: &'static Route| {
        keys(route).into_iter().map(move |key| {
            let (method, path) = key.split_once(' ').unwrap();
            format!(r#""{path}" = [{{ function = "{}", method = "{method}" }}]"#, route.function)
        })
    };
    assert_eq!(lines, ROUTES.iter().flat_map(line).collect::<Vec<_>>());
}

#[test]
fn every_route_is_the_one_gateway_s() {
    for (logical, function) in template().of_type("AWS::Serverless::Function") {
        for event in function["Events"].as_object().unwrap().values() {
            assert_eq!(event["Properties"]["ApiId"], json!({ "Ref": "Api" }), "{logical}");
        }
    }
}

#[test]
fn a_function_has_one_name() {
    let template = template();
    let folders = std::fs::read_dir(root().join("functions")).unwrap();
    let folders: BTreeSet<String> = folders.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    assert_eq!(template.functions.keys().cloned().collect::<BTreeSet<_>>(), folders);
    for (name, function) in &template.functions {
        assert_eq!(&function.binary, name);
        let manifest = std::fs::read_to_string(root().join(format!("functions/{name}/Cargo.toml"))).unwrap();
        let line = format!("name = \"{name}\"");
        assert_eq!(manifest.lines().filter(|given| *given == line).count(), 2, "{name}: package and binary");
        let build = &template.resources[&function.logical]["Metadata"]["BuildMethod"];
        assert_eq!(build, "rust-cargolambda", "{name}");
    }
}

#[test]
fn the_environment_is_what_the_code_reads() {
    let environment = template().environment;
    assert_eq!(RESOURCES.map(|(name, _)| name), RESOURCE_NAMES);
    let expected = RESOURCE_NAMES.into_iter().chain(NAMES);
    // The gateway answers by the origins; a laptop needs further certificates, Lambda does not.
    let expected = expected.filter(|name| !["ALLOWED_ORIGINS", "AWS_CA_BUNDLE"].contains(name));
    assert_eq!(environment.keys().map(String::as_str).collect::<BTreeSet<_>>(), expected.collect());
}

#[test]
fn the_environment_s_names_lead_to_what_they_say() {
    let template = template();
    for (name, resource) in RESOURCES {
        assert_eq!(template.environment[name], resource);
        let suffix = resource.contains("${").then_some(true);
        assert!(suffix.unwrap_or_else(|| template.resources.contains_key(resource)), "{resource}");
    }
    for name in NAMES {
        if let Some(parameter) = template.environment.get(name) {
            assert_eq!(parameter.to_uppercase(), name.replace('_', ""));
            assert!(template.parameters.contains_key(parameter), "{parameter}");
        }
    }
}

#[test]
fn each_function_has_a_role_and_a_log_of_its_own() {
    let template = template();
    for (name, function) in &template.functions {
        assert_eq!(function.role, format!("{}Role", function.logical));
        assert_eq!(function.log_group, format!("{}Logs", function.logical));
        let logs = function.permissions.iter().filter(|(action, _)| action.starts_with("logs:"));
        let expected = ["logs:CreateLogStream", "logs:PutLogEvents"];
        let expected = expected.map(|action| (action.to_owned(), function.log_group.clone()));
        assert_eq!(logs.cloned().collect::<Vec<_>>(), expected, "{name}");
    }
    let kept = template.of_type("AWS::Logs::LogGroup").map(|(_, group)| &group["RetentionInDays"]);
    assert_eq!(kept.collect::<Vec<_>>(), vec![&json!({ "Ref": "LogRetentionDays" }); template.functions.len() + 1]);
}

#[test]
fn every_permission_is_on_a_resource_of_the_template() {
    let template = template();
    for function in template.functions.values() {
        for (action, resource) in function.permissions.iter().filter(|(_, resource)| resource != ANY) {
            let kind = template.resources[resource]["Type"].as_str().unwrap();
            let expected = match action.split_once(':').unwrap().0 {
                "dynamodb" => "AWS::DynamoDB::Table",
                "secretsmanager" => "AWS::SecretsManager::Secret",
                "sqs" => "AWS::SQS::Queue",
                "logs" => "AWS::Logs::LogGroup",
                service => panic!("{} may do something with {service}", function.logical),
            };
            assert_eq!(kind, expected, "{} {action}", function.logical);
        }
    }
}

#[test]
fn nobody_is_allowed_everything() {
    fn look(place: &str, value: &Value) {
        match value {
            // Judged by `Template::read`: it takes no resource, and each secret of a batch needs its own permission.
            Value::Object(values) if values.get("Action") == Some(&json!(["secretsmanager:BatchGetSecretValue"])) => {}
            Value::String(text) => assert!(!text.contains('*'), "{place}: {text}"),
            Value::Array(values) => values.iter().for_each(|value| look(place, value)),
            Value::Object(values) => values.values().for_each(|value| look(place, value)),
            _ => {}
        }
    }
    let template = template();
    let documents = ["AWS::IAM::Role", "AWS::SQS::QueuePolicy"].into_iter().flat_map(|kind| template.of_type(kind));
    for (logical, properties) in documents {
        // A denial is for everybody.
        let mut properties = properties.clone();
        if let Some(statements) = properties.pointer_mut("/PolicyDocument/Statement") {
            statements.as_array_mut().unwrap().retain(|statement| statement["Effect"] != "Deny");
        }
        look(logical, &properties);
    }
    for (logical, permission) in template.of_type("AWS::Lambda::Permission") {
        assert!(reference(&permission["SourceArn"]).is_some(), "{logical}");
    }
}

#[test]
fn nothing_is_scanned_or_queried() {
    for function in template().functions.values() {
        for (action, _) in &function.permissions {
            assert!(!["dynamodb:Scan", "dynamodb:Query"].contains(&action.as_str()), "{}", function.logical);
        }
    }
}

#[test]
fn a_function_ends_before_the_gateway_gives_up() {
    // docs/architecture.md: six calls to AWS at 3.4 s and one to Plivo at 8 s.
    let (slowest, gateway) = (28.4, 30.0);
    for (name, function) in template().functions {
        let plivo = function.permissions.contains(&("secretsmanager:GetSecretValue".into(), "PlivoSecret".into()));
        let timeout = function.timeout as f64;
        assert!(timeout <= gateway, "{name}");
        assert!(timeout > if plivo { slowest } else { 3.4 }, "{name}");
    }
}

#[test]
fn hashing_passwords_gets_a_whole_processor() {
    for (name, function) in template().functions {
        let hashes = ["register", "login-password"].contains(&name.as_str());
        assert_eq!(function.memory, if hashes { 1769 } else { 256 }, "{name}");
    }
}

#[test]
fn what_sends_is_throttled_route_by_route() {
    let template = template();
    let api = &template.resources["Api"]["Properties"];
    let sends = |function: &str| !["session", "login-code"].contains(&function);
    let expected = ROUTES.iter().filter(|route| sends(route.function)).flat_map(keys).collect::<BTreeSet<_>>();
    let settings = api["RouteSettings"].as_object().unwrap();
    assert_eq!(settings.keys().cloned().collect::<BTreeSet<_>>(), expected);
    let limits = |parameter: &str| {
        let rate = json!({ "Ref": parameter });
        json!({ "ThrottlingBurstLimit": rate, "ThrottlingRateLimit": rate })
    };
    assert!(settings.values().all(|given| *given == limits("SendingRatePerSecond")));
    assert_eq!(api["DefaultRouteSettings"], limits("RatePerSecond"));
}

#[test]
fn the_gateway_answers_browsers_as_the_local_one() {
    let template = template();
    let configuration = &template.resources["Api"]["Properties"]["CorsConfiguration"]["Fn::If"][1];
    let origins = json!({ "Fn::Split": [",", { "Ref": "AllowedOrigins" }] });
    assert_eq!(configuration["AllowOrigins"], origins);
    assert_eq!(texts(&configuration["AllowHeaders"]).join(","), cors::HEADERS);
    assert_eq!(texts(&configuration["AllowMethods"]).join(","), cors::METHODS);
    assert_eq!(texts(&configuration["ExposeHeaders"]).join(","), cors::EXPOSED);
    assert_eq!(configuration["MaxAge"].to_string(), cors::MAX_AGE);
    assert!(configuration["AllowCredentials"].is_null(), "no cookie is used");
}

#[test]
fn the_access_log_tells_nothing_of_anybody() {
    let template = template();
    let format = template.resources["Api"]["Properties"]["AccessLogSettings"]["Format"].as_str().unwrap();
    let line: BTreeMap<String, String> = serde_json::from_str(format).unwrap();
    let impersonal = [
        "$context.requestTimeEpoch",
        "$context.requestId",
        "$context.routeKey",
        "$context.status",
        "$context.responseLatency",
        "$context.integration.status",
        "$context.integration.latency",
        "$context.integration.error",
        "$context.error.responseType",
    ];
    assert_eq!(line.values().map(String::as_str).collect::<BTreeSet<_>>(), BTreeSet::from(impersonal));
}

#[test]
fn the_tables_are_those_of_the_code() {
    let template = template();
    let expected: BTreeMap<&str, bool> = TABLES.into_iter().collect();
    let tables = template.of_type("AWS::DynamoDB::Table").map(|(logical, table)| {
        assert_eq!(
            table["AttributeDefinitions"],
            json!([{ "AttributeName": "id", "AttributeType": "S" }]),
            "{logical}"
        );
        assert_eq!(table["KeySchema"], json!([{ "AttributeName": "id", "KeyType": "HASH" }]), "{logical}");
        assert_eq!(table["BillingMode"], "PAY_PER_REQUEST", "{logical}");
        assert_eq!(table["PointInTimeRecoverySpecification"]["PointInTimeRecoveryEnabled"], true, "{logical}");
        assert_eq!(table["SSESpecification"]["SSEEnabled"], true, "{logical}");
        assert!(table["GlobalSecondaryIndexes"].is_null() && table["LocalSecondaryIndexes"].is_null(), "{logical}");
        let ttl = &table["TimeToLiveSpecification"];
        let expires = !ttl.is_null();
        assert!(!expires || *ttl == json!({ "AttributeName": "expires_at", "Enabled": true }), "{logical}");
        (logical.strip_suffix("Table").unwrap().to_lowercase(), expires)
    });
    let expected = expected.into_iter().map(|(name, expires)| (name.to_owned(), expires)).collect::<BTreeMap<_, _>>();
    assert_eq!(tables.collect::<BTreeMap<_, _>>(), expected);
}

#[test]
fn users_and_the_keys_that_they_need_outlive_the_stack() {
    let template = template();
    let kept = template.resources.iter().filter(|(_, resource)| {
        assert_eq!(resource["DeletionPolicy"], resource["UpdateReplacePolicy"]);
        resource["DeletionPolicy"] == "Retain"
    });
    let kept: Vec<_> = kept.map(|(logical, _)| logical.as_str()).collect();
    assert_eq!(kept, ["UsersTable", "RootSecret", "MessageSecret"]);
    assert_eq!(template.resources["UsersTable"]["Properties"]["DeletionProtectionEnabled"], true);
}

/// CloudFormation draws a new key when these properties change, and then all users are lost.
#[test]
fn the_generators_of_keys_never_change() {
    let template = template();
    let generator = |secret: &str| template.resources[secret]["Properties"]["GenerateSecretString"].clone();
    assert_eq!(generator("RootSecret"), json!({ "PasswordLength": 64, "ExcludePunctuation": true }));
    assert_eq!(generator("MessageSecret"), json!({ "PasswordLength": 48, "ExcludePunctuation": true }));
}

#[test]
fn plivo_s_secret_has_the_form_that_the_code_reads() {
    let template = template();
    let secret = template.resources["PlivoSecret"]["Properties"]["SecretString"]["Fn::Sub"].as_str().unwrap();
    let secret = secret.replace("${PlivoAuthId}", "MAXXXXXXXXXXXXXXXXXX").replace("${PlivoAuthToken}", "token");
    serde_json::from_str::<shared::aws::secrets::PlivoCredentials>(&secret).unwrap();
}

#[test]
fn a_queue_s_dead_letters_are_of_its_kind() {
    let template = template();
    let queue = |name: &str| &template.resources[name]["Properties"];
    for (name, dead) in [("MessageQueue", "DeadLetterQueue"), ("MessageFifoQueue", "DeadLetterFifoQueue")] {
        assert_eq!(queue(name)["RedrivePolicy"]["deadLetterTargetArn"], json!({ "Fn::GetAtt": [dead, "Arn"] }));
        assert!(
            queue(name)["RedrivePolicy"]["maxReceiveCount"].as_u64() > Some(5),
            "the function moves it at the fifth"
        );
        assert_eq!(queue(name)["FifoQueue"], queue(dead)["FifoQueue"]);
        assert_eq!(queue(name)["FifoQueue"] == true, name.contains("Fifo"));
        assert_eq!(queue(name)["VisibilityTimeout"], 6 * template.functions["send-message"].timeout);
        assert!(queue(dead)["MessageRetentionPeriod"].as_u64() > queue(name)["MessageRetentionPeriod"].as_u64());
    }
    for (name, properties) in template.of_type("AWS::SQS::Queue") {
        assert_eq!(properties["SqsManagedSseEnabled"], true, "{name}");
        let policy = &template.resources[&format!("{name}Policy")]["Properties"];
        assert_eq!(policy["Queues"], json!([{ "Ref": name }]));
        let denial = &policy["PolicyDocument"]["Statement"][0];
        assert_eq!((&denial["Effect"], &denial["Principal"]), (&json!("Deny"), &json!("*")));
        assert_eq!(denial["Condition"], json!({ "Bool": { "aws:SecureTransport": "false" } }));
        assert_eq!(denial["Resource"], json!({ "Fn::GetAtt": [name, "Arn"] }));
    }
}

#[test]
fn queues_and_events_reach_send_message_and_answer_for_failures() {
    let template = template();
    let mut sources = BTreeSet::new();
    for (logical, mapping) in template.of_type("AWS::Lambda::EventSourceMapping") {
        assert_eq!(mapping["FunctionName"], json!({ "Ref": "SendMessage" }), "{logical}");
        assert_eq!(mapping["FunctionResponseTypes"], json!(["ReportBatchItemFailures"]), "{logical}");
        let one_after_the_other = reference(&mapping["EventSourceArn"]).is_some_and(|queue| queue.contains("Fifo"));
        assert_eq!(mapping["BatchSize"], if one_after_the_other { 5 } else { 10 }, "{logical}");
        assert_eq!(mapping["ScalingConfig"]["MaximumConcurrency"], 2, "{logical}");
        sources.insert(reference(&mapping["EventSourceArn"]).unwrap());
    }
    assert_eq!(sources, ["MessageFifoQueue", "MessageQueue"].map(str::to_owned).into());
    let failed =
        &template.resources["SendMessage"]["Properties"]["EventInvokeConfig"]["DestinationConfig"]["OnFailure"];
    assert_eq!(reference(&failed["Destination"]).as_deref(), Some("DeadLetterQueue"));
    let rule = &template.resources["SendMessageRule"]["Properties"];
    assert_eq!(rule["EventPattern"], json!({ "source": ["otpost"], "detail-type": ["SendMessage"] }));
    assert_eq!(reference(&rule["Targets"][0]["Arn"]).as_deref(), Some("SendMessage"));
    let permission = &template.resources["SendMessageRulePermission"]["Properties"];
    assert_eq!(reference(&permission["SourceArn"]).as_deref(), Some("SendMessageRule"));
}

/// The dashboard's metrics and searches, with the functions of CloudFormation left as they are.
fn dashboard() -> Vec<Value> {
    let template = template();
    let body = template.resources["Dashboard"]["Properties"]["DashboardBody"]["Fn::Sub"].as_str().unwrap();
    let body: Value = serde_json::from_str(body).unwrap();
    let widgets = body["widgets"].as_array().unwrap().iter();
    widgets.flat_map(|widget| widget["properties"]["metrics"].as_array().unwrap().clone()).collect()
}

/// A metric of ours on the dashboard, its dimension and that one's value, where it has them; `None` for one of AWS.
fn shown(row: &Value) -> Option<(String, Option<String>, Option<String>)> {
    let text = |index: usize| row[index].as_str().map(str::to_owned);
    match row[0]["expression"].as_str() {
        Some(search) if search.starts_with("SEARCH") => {
            let space = "SEARCH('{\"Otpost/${AWS::StackName}\",";
            let (dimension, rest) = search.strip_prefix(space).unwrap().split_once("} MetricName=\"").unwrap();
            Some((rest.split_once('"').unwrap().0.to_owned(), Some(dimension.to_owned()), None))
        }
        Some(_) => None,
        None if row[0] == "Otpost/${AWS::StackName}" => Some((text(1).unwrap(), text(2), text(3))),
        None => None,
    }
}

#[test]
fn the_dashboard_shows_the_metrics_that_functions_write() {
    let shown: Vec<_> = dashboard().iter().filter_map(shown).collect();
    let names: BTreeSet<&str> = shown.iter().map(|(name, ..)| name.as_str()).collect();
    assert_eq!(names, SHAPES.iter().map(|(name, _)| *name).collect());
    for (name, dimension, value) in &shown {
        let (_, expected) = SHAPES.iter().find(|(metric, _)| metric == name).unwrap();
        assert_eq!(dimension.as_deref(), *expected, "{name}");
        if let (Some(dimension), Some(value)) = (dimension, value) {
            let (_, values) = VALUES.iter().find(|(known, _)| known == dimension).unwrap();
            assert!(values.contains(&value.as_str()), "{name} {value}");
        }
    }
}

#[test]
fn the_dashboard_refers_to_resources_and_to_its_own_rows() {
    let template = template();
    let body = template.resources["Dashboard"]["Properties"]["DashboardBody"]["Fn::Sub"].as_str().unwrap();
    for name in body.split("${").skip(1).map(|rest| rest.split('}').next().unwrap()) {
        let name = name.split('.').next().unwrap();
        let known = template.resources.contains_key(name) || template.parameters.contains_key(name);
        assert!(known || name.starts_with("AWS::"), "{name}");
    }
    let rows = dashboard();
    let ids: BTreeSet<_> = rows.iter().filter_map(|row| row.as_array()?.last()?["id"].as_str()).collect();
    for expression in rows.iter().filter_map(|row| row[0]["expression"].as_str()) {
        if !expression.starts_with("SEARCH") {
            let formula = expression.replace("${SmsPrice}", "1").replace("${MmsPrice}", "1");
            let words = formula.split(|letter: char| !letter.is_ascii_lowercase() && letter != '_');
            for id in words.filter(|word| !word.is_empty()) {
                assert!(ids.contains(id), "{expression}: {id}");
            }
        }
    }
}

/// An alarm's metrics: name, and what each dimension refers to.
fn watched(alarm: &Value) -> Vec<(String, Vec<String>)> {
    let read = |metric: &Value| {
        let dimensions = metric["Dimensions"].as_array().into_iter().flatten();
        let of = dimensions.map(|dimension| reference(&dimension["Value"]).unwrap()).collect();
        metric["MetricName"].as_str().map(|name| (name.to_owned(), of))
    };
    let parts = alarm["Metrics"].as_array().into_iter().flatten().map(|part| &part["MetricStat"]["Metric"]);
    parts.chain([alarm]).filter_map(read).collect()
}

#[test]
fn the_alarms_watch_everything_that_can_fail() {
    let template = template();
    let functions: Vec<_> = template.functions.values().map(|function| vec![function.logical.clone()]).collect();
    let mut all: BTreeMap<String, Vec<Vec<String>>> = BTreeMap::new();
    for (logical, alarm) in template.of_type("AWS::CloudWatch::Alarm") {
        assert_eq!(alarm["AlarmActions"], json!([{ "Ref": "AlarmTopic" }]), "{logical}");
        assert_eq!(alarm["TreatMissingData"], "notBreaching", "{logical}");
        for (name, of) in watched(alarm) {
            all.entry(name).or_default().push(of);
        }
    }
    all.values_mut().for_each(|of| of.sort());
    let mut each = functions;
    each.sort();
    let api = vec![vec!["Api".to_owned()]];
    let dead = ["DeadLetterFifoQueue", "DeadLetterQueue"].map(|queue| vec![queue.to_owned()]).to_vec();
    let waiting = ["MessageFifoQueue", "MessageQueue"].map(|queue| vec![queue.to_owned()]).to_vec();
    let expected = [
        ("Errors", each.clone()),
        ("Throttles", each),
        ("5xx", api.clone()),
        ("Latency", api),
        ("NotSent", vec![vec![]]),
        ("BudgetPercent", vec![vec![], vec![], vec![]]),
        ("ApproximateNumberOfMessagesVisible", dead),
        ("ApproximateAgeOfOldestMessage", waiting),
    ];
    assert_eq!(all, expected.map(|(name, of)| (name.to_owned(), of)).into());
    for own in ["NotSent", "BudgetPercent"] {
        assert!(SHAPES.iter().any(|(name, _)| *name == own));
    }
}

#[test]
fn the_outputs_refer_to_resources() {
    let template = template();
    let outputs = template.document["Outputs"].as_object().unwrap();
    for wanted in [
        "BaseUrl",
        "SdkDomain",
        "MessageKeyCommand",
        "DashboardUrl",
        "MessageQueueUrl",
        "DeadLetterQueueUrl",
        "SendMessageArn",
    ] {
        assert!(outputs.contains_key(wanted), "{wanted}");
    }
    for (name, output) in outputs {
        if let Some(resource) = reference(&output["Value"]) {
            assert!(template.resources.contains_key(&resource), "{name}");
        }
    }
}
