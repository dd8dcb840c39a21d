//! `template.yaml` agrees with the code. (`parameters` tests its parameters, `permissions` its roles, local/tests/template/run its form.)

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use local::dynamodb::TABLES;
use local::gateway::cors;
use local::template::{Template, reference};
use phone_number::Country;
use regex::Regex;
use send_message::queue::{BATCH_SIZE, FIFO_BATCH_SIZE, VISIBILITY_TIMEOUT};
use serde_json::{Value, json};
use shared::aws::secrets::PlivoCredentials;
use shared::config::{NAMES, RESOURCE_NAMES};
use shared::flow::Flow;
use shared::http::routes::{CONSENT, FALLBACK, FROM_PLIVO, ROUTES, Route};
use shared::metrics::Metric;

/// The namespace of the metrics that the functions write.
const NAMESPACE: &str = "Otpost/${AWS::StackName}";

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

#[test]
fn every_folder_is_a_function_with_the_routes_of_the_code() {
    let folders = std::fs::read_dir(root().join("functions")).unwrap();
    let folders = folders.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut expected: BTreeMap<String, BTreeSet<String>> = folders.map(|name| (name, BTreeSet::new())).collect();
    for route in &ROUTES {
        expected.get_mut(route.function).unwrap().extend(keys(route));
    }
    expected.get_mut(FALLBACK).unwrap().insert("$default".to_owned());
    let functions = template().functions;
    assert!(functions.iter().all(|(name, function)| function.binary == *name));
    assert_eq!(
        functions.into_iter().map(|(name, function)| (name, function.routes)).collect::<BTreeMap<_, _>>(),
        expected
    );
}

/// The table of `cargo lambda watch` in Cargo.toml, line by line.
#[test]
fn cargo_lambda_knows_the_same_routes() {
    let manifest = std::fs::read_to_string(root().join("Cargo.toml")).unwrap();
    let (_, table) = manifest.split_once("[workspace.metadata.lambda.watch.router]\n").unwrap();
    let mut by_path: Vec<(String, Vec<String>)> = Vec::new();
    for route in &ROUTES {
        for key in keys(route) {
            let (method, path) = key.split_once(' ').unwrap();
            let target = format!(r#"{{ function = "{}", method = "{method}" }}"#, route.function);
            match by_path.iter_mut().find(|(known, _)| known == path) {
                Some((_, targets)) => targets.push(target),
                None => by_path.push((path.to_owned(), vec![target])),
            }
        }
    }
    let lines: Vec<_> = table.lines().take_while(|line| !line.is_empty()).collect();
    let line = |(path, targets): (String, Vec<String>)| format!(r#""{path}" = [{}]"#, targets.join(", "));
    assert_eq!(lines, by_path.into_iter().map(line).collect::<Vec<_>>());
}

#[test]
fn every_setting_has_a_variable_that_refers_to_the_resource_or_parameter_of_its_name() {
    let template = template();
    // API Gateway checks the origins, and only a laptop needs additional certificates.
    let names = RESOURCE_NAMES.into_iter().chain(NAMES);
    let names = names.filter(|name| !["ALLOWED_ORIGINS", "AWS_CA_BUNDLE"].contains(name));
    assert_eq!(template.environment.keys().map(String::as_str).collect::<BTreeSet<_>>(), names.collect());
    for (name, value) in &template.environment {
        if !["METRICS_NAMESPACE", "PLIVO_CALLBACK_URL"].contains(&name.as_str()) {
            assert_eq!(value.to_uppercase(), name.replace('_', ""));
        }
    }
    assert_eq!(template.environment["METRICS_NAMESPACE"], NAMESPACE);
    let address = "https://${PlivoApi}.execute-api.${AWS::Region}.${AWS::URLSuffix}";
    assert_eq!(template.environment["PLIVO_CALLBACK_URL"], address);
}

#[test]
fn every_function_has_time_for_its_calls_and_writes_to_its_own_log() {
    let template = template();
    for (name, function) in &template.functions {
        let permissions = &function.permissions;
        // docs/architecture.md: six calls to AWS take at most 3.4 s each, and one to Plivo 8 s. The gateway gives up after 30 s.
        let calls_plivo = permissions.iter().any(|(_, resource)| resource == "PlivoSecret");
        let slowest = match name.as_str() {
            "authorizer" => 6.8,
            // It only checks Plivo's signature.
            "plivo-events" => 20.4,
            _ if calls_plivo => 28.4,
            _ => 20.4,
        };
        assert!(slowest < function.timeout as f64, "{name}");
        assert_eq!(function.timeout, local::functions::timeout(name).as_secs(), "{name}");
        // Argon2id keeps a whole processor busy (docs/performance.md).
        assert_eq!(
            function.memory,
            if ["register", "login-password", "account"].contains(&name.as_str()) { 1769 } else { 256 }
        );
        let logging = &template.document["Resources"][&function.logical_id]["Properties"]["LoggingConfig"];
        assert_eq!(reference(&logging["LogGroup"]), Some(format!("{}Logs", function.logical_id)), "{name}");
        // `permissions` proves all other permissions; Lambda itself uses these.
        let own_log = ["logs:CreateLogStream", "logs:PutLogEvents"];
        let own_log = own_log.map(|action| (action.to_owned(), format!("{}Logs", function.logical_id)));
        assert!(permissions.iter().filter(|(action, _)| action.starts_with("logs:")).eq(&own_log), "{name}");
        // Reading a whole table gets slower with every user.
        assert!(
            !permissions.iter().any(|(action, _)| action == "dynamodb:Scan" || action == "dynamodb:Query"),
            "{name}"
        );
    }
}

#[test]
fn a_queue_loses_no_message() {
    let template = template();
    let properties = |name: &str| &template.document["Resources"][name]["Properties"];
    let mappings: Vec<_> = template.of_type("AWS::Lambda::EventSourceMapping").map(|(_, mapping)| mapping).collect();
    assert_eq!(mappings.len(), 2);
    for mapping in mappings {
        // Without it, one bad message would make SQS deliver its whole batch again.
        assert_eq!(mapping["FunctionResponseTypes"], json!(["ReportBatchItemFailures"]));
        assert_eq!(mapping["ScalingConfig"]["MaximumConcurrency"], 2);
        let queue = properties(&reference(&mapping["EventSourceArn"]).unwrap());
        let dead = reference(&queue["RedrivePolicy"]["deadLetterTargetArn"]).unwrap();
        let dead = &template.document["Resources"][dead]["Properties"];
        assert_eq!(queue["FifoQueue"], dead["FifoQueue"]);
        assert_eq!(queue["VisibilityTimeout"], VISIBILITY_TIMEOUT.as_secs(), "as Lambda advises");
        let size = if queue["FifoQueue"] == true { FIFO_BATCH_SIZE } else { BATCH_SIZE };
        assert_eq!(mapping["BatchSize"], size);
        let receives = queue["RedrivePolicy"]["maxReceiveCount"].as_u64();
        assert!(receives > Some(5), "the function itself moves a message at its fifth receive");
        assert!(dead["MessageRetentionPeriod"].as_u64() > queue["MessageRetentionPeriod"].as_u64());
    }
}

/// Otherwise two stacks in one account both send one event.
#[test]
fn the_rule_takes_the_stack_s_own_events_only() {
    let template = template();
    let pattern = &template.document["Resources"]["SendMessageRule"]["Properties"]["EventPattern"];
    assert_eq!(pattern["source"], json!([{ "Fn::Sub": "otpost.${AWS::StackName}" }]));
}

#[test]
fn every_route_that_sends_and_the_rest_have_the_lower_rate() {
    let template = template();
    let api = &template.document["Resources"]["Api"]["Properties"];
    let others = json!({ "ThrottlingBurstLimit": { "Ref": "RatePerSecond" }, "ThrottlingRateLimit": { "Ref": "RatePerSecond" } });
    assert_eq!(api["DefaultRouteSettings"], others);
    let settings = api["RouteSettings"].as_object().unwrap();
    let sends = |route: &&Route| {
        let of_account = route.method == "PUT" || route.path.contains("restorepassword");
        match route.function {
            "account" => of_account,
            "session" | "login-code" | FROM_PLIVO => false,
            _ => route.method == "POST" && route.path != CONSENT,
        }
    };
    let mut expected: BTreeSet<_> = ROUTES.iter().filter(sends).flat_map(keys).collect();
    expected.insert("$default".to_owned());
    assert_eq!(settings.keys().cloned().collect::<BTreeSet<_>>(), expected);
    assert!(settings.values().all(|rate| *rate == json!({ "ThrottlingBurstLimit": { "Ref": "SendingRatePerSecond" }, "ThrottlingRateLimit": { "Ref": "SendingRatePerSecond" } })));
}

#[test]
fn the_gateway_answers_browsers_as_the_local_one_does() {
    let template = template();
    let cors = &template.document["Resources"]["Api"]["Properties"]["CorsConfiguration"]["Fn::If"][1];
    let words = |text: &str| text.split(',').map(Value::from).collect::<Value>();
    assert_eq!(cors["AllowHeaders"], words(cors::HEADERS));
    assert_eq!(cors["AllowMethods"], words(cors::METHODS));
    assert_eq!(cors["ExposeHeaders"], words(cors::EXPOSED));
    assert_eq!(cors["MaxAge"].to_string(), cors::MAX_AGE);
    assert_eq!(cors["AllowOrigins"], json!({ "Fn::Split": [",", { "Ref": "AllowedOrigins" }] }));
    assert!(cors["AllowCredentials"].is_null());
}

/// Plivo is given its address with each message, wherever the other one is closed, and no proxy stands before it.
#[test]
fn plivo_s_gateway_is_always_open_and_throttled() {
    let template = template();
    let properties = |name: &str| &template.document["Resources"][name]["Properties"];
    assert!(properties("PlivoApi")["DisableExecuteApiEndpoint"].is_null());
    let stage = properties("PlivoStage");
    assert_eq!((&stage["StageName"], &stage["AutoDeploy"]), (&json!("$default"), &json!(true)), "no path before ours");
    let rate = json!({ "Ref": "RatePerSecond" });
    let expected = json!({ "ThrottlingBurstLimit": rate, "ThrottlingRateLimit": rate });
    assert_eq!(stage["DefaultRouteSettings"], expected);
    assert_eq!(properties("PlivoIntegration")["PayloadFormatVersion"], "2.0");
    let mut routes = template.of_type("AWS::ApiGatewayV2::Route");
    assert!(routes.all(|(_, route)| reference(&route["ApiId"]).as_deref() == Some("PlivoApi")));
}

/// SAM has no property for it, and without it no client has an IPv6 address.
#[test]
fn the_gateway_is_reached_by_ipv6_and_its_own_address_can_be_closed() {
    let template = template();
    let server = &template.document["Resources"]["Api"]["Properties"]["DefinitionBody"]["servers"][0];
    let endpoint = &server["x-amazon-apigateway-endpoint-configuration"];
    assert_eq!(endpoint["ipAddressType"], "dualstack");
    assert_eq!(endpoint["disableExecuteApiEndpoint"]["Fn::If"], json!(["IsExecuteApiDisabled", true, false]));
}

#[test]
fn the_access_log_holds_no_path_and_no_client() {
    let template = template();
    let personal = ["context.path", "identity", "authorizer", "$request", "$input"];
    for logs in ["Api", "PlivoStage"] {
        let settings = &template.document["Resources"][logs]["Properties"]["AccessLogSettings"];
        let format = settings["Format"].as_str().unwrap();
        assert!(!personal.iter().any(|variable| format.contains(variable)), "{format}");
    }
}

#[test]
fn the_tables_are_those_of_the_code() {
    let template = template();
    let tables = template.of_type("AWS::DynamoDB::Table").map(|(logical_id, table)| {
        assert_eq!(table["KeySchema"], json!([{ "AttributeName": "id", "KeyType": "HASH" }]), "{logical_id}");
        assert_eq!(table["SSESpecification"]["SSEEnabled"], true, "{logical_id}");
        assert_eq!(table["BillingMode"], "PAY_PER_REQUEST", "{logical_id}");
        let expiry = &table["TimeToLiveSpecification"];
        assert!(expiry.is_null() || *expiry == json!({ "AttributeName": "expires_at", "Enabled": true }));
        (logical_id.strip_suffix("Table").unwrap().to_lowercase(), !expiry.is_null())
    });
    let expected = TABLES.map(|(name, expires)| (name.to_owned(), expires));
    assert_eq!(tables.collect::<BTreeMap<_, _>>(), expected.into());
}

/// `otpost --stack` finds them by these names.
#[test]
fn outputs_name_every_table_and_secret() {
    let template = template();
    let resources = ["AWS::DynamoDB::Table", "AWS::SecretsManager::Secret"];
    for (logical_id, _) in resources.into_iter().flat_map(|kind| template.of_type(kind)) {
        let output = &template.document["Outputs"][logical_id]["Value"];
        assert!(*output == json!({ "Ref": logical_id }) || logical_id == "CaptchaSecret", "{logical_id}: {output}");
    }
}

/// SAM asks about each route of an API that says nothing about it, and Enter means no.
#[test]
fn a_guided_deployment_does_not_ask_for_each_route() {
    let template = template();
    assert_eq!(template.document["Resources"]["Api"]["Properties"]["Auth"], json!({ "EnableIamAuthorizer": false }));
}

#[test]
fn users_and_their_keys_outlive_the_stack_and_the_code_reads_plivo_s_secret() {
    let template = template();
    let resources = template.document["Resources"].as_object().unwrap();
    let kept = |policy: &str| {
        resources.iter().filter(|(_, one)| one[policy] == "Retain").map(|(id, _)| id.as_str()).collect::<Vec<_>>()
    };
    assert_eq!(kept("DeletionPolicy"), ["UsersTable", "ConsentsTable", "RootSecret", "MessageSecret"]);
    assert_eq!(kept("DeletionPolicy"), kept("UpdateReplacePolicy"));
    assert_eq!(resources["UsersTable"]["Properties"]["DeletionProtectionEnabled"], true);
    // CloudFormation generates a new key when these properties change, and then all users are lost.
    let generator = |secret: &str| &resources[secret]["Properties"]["GenerateSecretString"];
    assert_eq!(*generator("RootSecret"), json!({ "PasswordLength": 64, "ExcludePunctuation": true }));
    assert_eq!(*generator("MessageSecret"), json!({ "PasswordLength": 48, "ExcludePunctuation": true }));
    let plivo = resources["PlivoSecret"]["Properties"]["SecretString"]["Fn::Sub"].as_str().unwrap();
    serde_json::from_str::<PlivoCredentials>(&plivo.replace("${PlivoAuthId}", "MAXXXXXXXXXXXXXXXXXX")).unwrap();
}

/// One of each metric that functions write.
fn metrics() -> [Metric; 13] {
    let country = Country::parse("US").unwrap();
    [
        Metric::Sent(""),
        Metric::Cost("", 1),
        Metric::NotSent(""),
        Metric::Verified(Flow::Login, country),
        Metric::Delivered(country, true),
        Metric::Undelivered(country),
        Metric::ReportedCost(country, 1),
        Metric::Refused(""),
        Metric::DeadLettered(""),
        Metric::Decoy,
        Metric::Budget("", 0),
        Metric::WrongCodes(0),
        Metric::Suspected(""),
    ]
}

#[test]
fn the_dashboard_shows_the_metrics_that_functions_write() {
    let template = template();
    let body = template.document["Resources"]["Dashboard"]["Properties"]["DashboardBody"]["Fn::Sub"].as_str().unwrap();
    serde_json::from_str::<Value>(body).unwrap();
    let count = |text: String| body.matches(&text).count();
    let mut known = 0;
    for (name, _, dimensions) in metrics().map(Metric::fields) {
        let by = |(dimension, _): &(&str, &str)| {
            count(format!(r#"["{NAMESPACE}", "{name}", "{dimension}", "#))
                + count(format!(r#"SEARCH('{{\"{NAMESPACE}\",{dimension}}} MetricName=\"{name}\"'"#))
        };
        let alone = || vec![count(format!(r#"["{NAMESPACE}", "{name}", {{"#))];
        let rows = if dimensions.is_empty() { alone() } else { dimensions.iter().map(by).collect() };
        assert!(rows.iter().all(|rows| *rows > 0), "no widget shows {name}: {rows:?}");
        known += rows.iter().sum::<usize>();
    }
    assert_eq!(count(NAMESPACE.to_owned()), known, "a widget shows a metric that no function writes");
}

/// A saved query and a widget are one query, of the logs of the functions that write its lines.
#[test]
fn the_cost_of_a_verified_login_is_a_query_of_the_metrics_lines() {
    let template = template();
    let resources = &template.document["Resources"];
    let saved = &resources["VerifiedCostQuery"]["Properties"];
    let query = saved["QueryString"].as_str().unwrap();
    let logs = saved["LogGroupNames"].as_array().unwrap().iter().map(|group| reference(group).unwrap());
    let sources: String = logs.map(|group| format!("SOURCE '${{{group}}}' | ")).collect();
    let body = resources["Dashboard"]["Properties"]["DashboardBody"]["Fn::Sub"].as_str().unwrap();
    assert!(body.contains(&format!("{sources}{query}")), "{sources}{query}");
    let written: Vec<_> = metrics().into_iter().map(|metric| metric.fields().0).collect();
    for field in ["ReportedCostMillionths", "Verified"] {
        assert!(written.contains(&field) && query.contains(&format!("sum({field})")), "{field}");
    }
}

#[test]
fn alarms_watch_every_function_and_queue() {
    let template = template();
    let mut watched = BTreeSet::new();
    for (logical_id, alarm) in template.of_type("AWS::CloudWatch::Alarm") {
        assert_eq!(alarm["AlarmActions"], json!([{ "Ref": "AlarmTopic" }]), "{logical_id}");
        assert_eq!(alarm["TreatMissingData"], "notBreaching", "{logical_id}");
        assert!(
            alarm["AlarmDescription"].as_str().unwrap().contains(" First: "),
            "{logical_id} does not say what to do"
        );
        let parts = alarm["Metrics"].as_array().into_iter().flatten().map(|part| &part["MetricStat"]["Metric"]);
        for metric in parts.chain([alarm]).filter(|metric| metric["MetricName"].is_string()) {
            let name = metric["MetricName"].as_str().unwrap();
            let own = metric["Namespace"]["Fn::Sub"] == NAMESPACE;
            assert!(!own || metrics().iter().any(|metric| metric.fields().0 == name), "no function writes {name}");
            watched.insert((name, reference(&metric["Dimensions"][0]["Value"]).unwrap_or_default()));
        }
    }
    let budgets =
        template.of_type("AWS::CloudWatch::Alarm").filter(|(_, alarm)| alarm["MetricName"] == "BudgetPercent");
    let thresholds: BTreeSet<_> = budgets.filter_map(|(_, alarm)| alarm["Threshold"].as_u64()).collect();
    assert_eq!(thresholds, [50, 80, 100].into());
    // One lost code is worth a warning, at any rate of requests.
    for alarm in ["NotSentAlarm", "ApiErrorsAlarm", "ErrorsAlarm", "DeadLettersAlarm"] {
        assert_eq!(template.document["Resources"][alarm]["Properties"]["Threshold"], 1, "{alarm}");
    }
    let functions = template.functions.values().map(|function| function.logical_id.as_str());
    let of_functions = functions.flat_map(|function| [("Errors", function), ("Throttles", function)]);
    let others = [
        ("ApproximateNumberOfMessagesVisible", "DeadLetterQueue"),
        ("ApproximateNumberOfMessagesVisible", "DeadLetterFifoQueue"),
        ("ApproximateAgeOfOldestMessage", "MessageQueue"),
        ("ApproximateAgeOfOldestMessage", "MessageFifoQueue"),
        ("5xx", "Api"),
        ("5xx", "PlivoApi"),
        ("Latency", "Api"),
        ("NotSent", ""),
        ("4xx", "Api"),
        ("BudgetPercent", ""),
        ("WrongCodesPercent", ""),
    ];
    for (metric, of) in of_functions.chain(others) {
        assert!(watched.contains(&(metric, of.to_owned())), "no alarm watches {metric} of {of}");
    }
}

#[test]
fn each_formula_uses_ids_of_its_own_widget_or_alarm() {
    let template = template();
    let body = template.document["Resources"]["Dashboard"]["Properties"]["DashboardBody"]["Fn::Sub"].as_str().unwrap();
    let body: Value = serde_json::from_str(body).unwrap();
    let widgets = body["widgets"].as_array().unwrap().iter().map(|widget| {
        let rows = widget["properties"]["metrics"].as_array().into_iter().flatten();
        let rows = rows.filter_map(|row| row.as_array()?.last());
        rows.map(|row| (&row["id"], &row["expression"])).collect::<Vec<_>>()
    });
    let alarms = template.of_type("AWS::CloudWatch::Alarm").map(|(_, alarm)| {
        let metrics = alarm["Metrics"].as_array().into_iter().flatten();
        metrics.map(|metric| (&metric["Id"], &metric["Expression"])).collect()
    });
    let name = Regex::new(r"\b[a-z]\w*").unwrap();
    let mut formulas = 0;
    for metrics in widgets.chain(alarms) {
        let ids: BTreeSet<_> = metrics.iter().filter_map(|(id, _)| id.as_str()).collect();
        let own = metrics.iter().filter_map(|(_, formula)| formula.as_str());
        for formula in own.filter(|formula| !formula.starts_with("SEARCH")) {
            let unknown: Vec<_> =
                name.find_iter(formula).map(|id| id.as_str()).filter(|id| !ids.contains(id)).collect();
            assert!(unknown.is_empty(), "{formula}: {unknown:?}");
            formulas += 1;
        }
    }
    assert_eq!(formulas, 10);
}

#[test]
fn queues_refuse_plain_http_and_only_events_of_this_stack_are_let_in() {
    let template = template();
    let mut encrypted = BTreeSet::new();
    for (logical_id, policy) in template.of_type("AWS::SQS::QueuePolicy") {
        for statement in policy["PolicyDocument"]["Statement"].as_array().unwrap() {
            let queue = reference(&statement["Resource"]).unwrap();
            assert_eq!(policy["Queues"], json!([{ "Ref": queue }]), "{logical_id}");
            if statement["Effect"] == "Deny" {
                assert_eq!(statement["Principal"], "*", "{logical_id}");
                assert_eq!(
                    statement["Condition"],
                    json!({ "Bool": { "aws:SecureTransport": "false" } }),
                    "{logical_id}"
                );
                assert_eq!(statement["Action"], json!(["sqs:SendMessage", "sqs:ReceiveMessage"]), "{logical_id}");
                encrypted.insert(queue);
            } else {
                assert!(statement["Principal"]["Service"].is_string(), "{logical_id}");
                assert_eq!(statement["Action"], json!(["sqs:SendMessage"]), "{logical_id}");
                let source = reference(&statement["Condition"]["ArnEquals"]["aws:SourceArn"]);
                assert_eq!(source.as_deref(), Some("SendMessageRule"), "{logical_id}");
            }
        }
    }
    for (logical_id, queue) in template.of_type("AWS::SQS::Queue") {
        assert_eq!(queue["SqsManagedSseEnabled"], true, "{logical_id}");
    }
    assert_eq!(encrypted, template.of_type("AWS::SQS::Queue").map(|(logical_id, _)| logical_id.to_owned()).collect());
    let permissions: Vec<_> = template.of_type("AWS::Lambda::Permission").collect();
    let [(_, of_plivo), (_, of_rule)] = permissions[..] else { panic!("{permissions:?}") };
    assert_eq!(reference(&of_rule["SourceArn"]).as_deref(), Some("SendMessageRule"));
    assert_eq!(reference(&of_plivo["FunctionName"]).as_deref(), Some("PlivoEvents"));
    let arn = "arn:${AWS::Partition}:execute-api:${AWS::Region}:${AWS::AccountId}:${PlivoApi}/*";
    assert_eq!(of_plivo["SourceArn"]["Fn::Sub"], arn);
}

/// Whether a condition of a rule holds with these parameters.
fn holds(condition: &Value, parameters: &Value) -> bool {
    let (function, arguments) = condition.as_object().unwrap().iter().next().unwrap();
    let value =
        |argument: &Value| argument["Ref"].as_str().map_or_else(|| argument.clone(), |name| parameters[name].clone());
    match function.as_str() {
        "Fn::Not" => !holds(&arguments[0], parameters),
        "Fn::And" => arguments.as_array().unwrap().iter().all(|one| holds(one, parameters)),
        "Fn::Or" => arguments.as_array().unwrap().iter().any(|one| holds(one, parameters)),
        "Fn::Equals" => value(&arguments[0]) == value(&arguments[1]),
        "Fn::Contains" => arguments[0].as_array().unwrap().contains(&value(&arguments[1])),
        other => panic!("{other} is new here"),
    }
}

#[test]
fn rules_refuse_what_the_functions_refuse() {
    let template = template();
    for (phone, identity, is_good) in [
        ("phoneNumber", "email", true),
        ("phoneNumber", "phoneNumber", true),
        ("phone", "phone", true),
        ("phone", "phoneNumber", false),
        ("phone", "name", false),
        ("email", "email", false),
        ("objectId", "email", false),
        ("transactionCode", "transactionCode", false),
    ] {
        let parameters = json!({
            "PhoneColumn": phone, "IdentityColumn": identity, "ClientAddressHeader": "", "ProxySecretSha256": "",
            "CaptchaHostnames": "", "CaptchaKey": "",
        });
        assert_eq!(all_hold(&template, &parameters), is_good, "{phone} {identity}");
    }
    for [one, other] in [["ClientAddressHeader", "ProxySecretSha256"], ["CaptchaHostnames", "CaptchaKey"]] {
        for (first, second, is_good) in [("a", "b", true), ("a", "", false), ("", "b", false)] {
            let mut parameters = json!({
                "PhoneColumn": "phone", "IdentityColumn": "email", "ClientAddressHeader": "", "ProxySecretSha256": "",
                "CaptchaHostnames": "", "CaptchaKey": "",
            });
            (parameters[one], parameters[other]) = (json!(first), json!(second));
            assert_eq!(all_hold(&template, &parameters), is_good, "{one}={first} {other}={second}");
        }
    }
    for (hosts, is_good) in [("", true), ("a", false)] {
        let parameters = json!({
            "PhoneColumn": "phone", "IdentityColumn": "email", "ClientAddressHeader": "", "ProxySecretSha256": "",
            "CaptchaHostnames": hosts, "CaptchaKey": "none",
        });
        assert_eq!(all_hold(&template, &parameters), is_good, "no key, as a guided deployment has it, and {hosts}");
    }
}

fn all_hold(template: &Template, parameters: &Value) -> bool {
    let rules = template.document["Rules"].as_object().unwrap().values();
    let mut assertions = rules.flat_map(|rule| rule["Assertions"].as_array().unwrap());
    assertions.all(|one| holds(&one["Assert"], parameters))
}
