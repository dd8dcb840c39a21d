//! Bad input: each kind gets its status, code and reason, changes nothing and sends nothing.

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{PASSWORD, TestApp, challenge_id};

const PHONE: &str = "+14155550101";
const REGISTER: &str = "/api/users/register";
const PHONE_LOGIN: &str = "/api/services/Plivo/loginWithPhoneNumber";
const PASSWORD_LOGIN: &str = "/api/services/Plivo/loginWithPhoneNumberAndPassword";
const CODE_LOGIN: &str = "/api/services/Plivo/loginWithCode";
const SEND: &str = "/api/services/Plivo/sendMessage";
const ALL: [&str; 5] = [REGISTER, PHONE_LOGIN, PASSWORD_LOGIN, CODE_LOGIN, SEND];
const ID: &str = "5E1F0B5C-0000-0000-0000-00000000BBBB";

/// Posts bytes with the key of `sendMessage`, and checks that they are refused and that nothing happened.
async fn refuse(app: &TestApp, path: &str, body: impl Into<reqwest::Body>, expected: (u16, u32, &str)) {
    let request =
        app.request(Method::POST, path).bearer_auth(local::MESSAGE_KEY).header("content-type", "application/json");
    let reply = app.send(request.body(body)).await;
    assert_eq!(reply.status, expected.0, "{path}: {}", reply.body);
    reply.refused(expected.0, expected.1, expected.2);
    assert_eq!(app.sent(), 0, "{path}");
    assert_eq!(app.dump().await, [], "{path}");
}

async fn refuse_json(app: &TestApp, path: &str, body: Value, expected: (u16, u32, &str)) {
    refuse(app, path, body.to_string(), expected).await;
}

#[tokio::test]
async fn bodies_that_are_not_valid() {
    let app = TestApp::start().await;
    for path in ALL {
        refuse(&app, path, "", (400, 8005, "empty_body")).await;
        refuse(&app, path, " \r\n", (400, 8005, "empty_body")).await;
        refuse(&app, path, "{", (400, 8004, "not_json")).await;
        refuse(&app, path, "{\"phoneNumber\":\"+14155550101\"", (400, 8004, "not_json")).await;
        refuse(&app, path, &b"{\"phoneNumber\":\"+1415555\xff0101\"}"[..], (400, 8004, "not_json")).await;
        refuse(&app, path, "[".repeat(10_000), (400, 8004, "not_json")).await;
        refuse(
            &app,
            path,
            format!("{{\"phoneNumber\":{}1{}}}", "[".repeat(7_000), "]".repeat(7_000)),
            (400, 8004, "not_json"),
        )
        .await;
        refuse(
            &app,
            path,
            format!("{{\"phoneNumber\":\"{}\"}}", "1".repeat(16 * 1024)),
            (413, 14000, "body_too_large"),
        )
        .await;
    }
    for path in [REGISTER, PASSWORD_LOGIN, CODE_LOGIN, SEND] {
        for body in ["[]", "\"text\"", "1", "true", "null"] {
            refuse(&app, path, body, (400, 8004, "not_an_object")).await;
        }
    }
    for body in ["[\"+14155550101\"]", "true", "null"] {
        refuse(&app, PHONE_LOGIN, body, (400, 8008, "wrong_type")).await;
    }
    refuse(&app, PHONE_LOGIN, &b"+1415555\xff"[..], (400, 8004, "not_json")).await;
}

#[tokio::test]
async fn fields_that_are_unknown_or_twice() {
    let app = TestApp::start().await;
    let bodies = [
        (PHONE_LOGIN, json!({"phoneNumber": PHONE, "admin": true})),
        (PASSWORD_LOGIN, json!({"phoneNumber": PHONE, "password": PASSWORD, "___class": "x"})),
        (CODE_LOGIN, json!({"transactionId": ID, "code": "123456", "phoneNumber": PHONE})),
        (SEND, json!({"phoneNumber": PHONE, "message": "x", "from": "+14155550199"})),
    ];
    for (path, body) in bodies {
        refuse_json(&app, path, body, (400, 8008, "unknown_field")).await;
    }
    for path in [PHONE_LOGIN, PASSWORD_LOGIN, CODE_LOGIN, SEND] {
        let body = format!("{{\"phoneNumber\":\"{PHONE}\",\"phoneNumber\":\"+14155550102\"}}");
        refuse(&app, path, body, (400, 8001, "duplicate_field")).await;
    }
    refuse(
        &app,
        REGISTER,
        format!("{{\"phoneNumber\":\"{PHONE}\",\"own\":{{\"a\":1,\"a\":2}}}}"),
        (400, 3043, "duplicate_field"),
    )
    .await;
    let both = json!({"transactionId": ID, "transactioniId": ID, "code": "123456"});
    refuse_json(&app, CODE_LOGIN, both, (400, 8001, "duplicate_field")).await;
    let both = json!({"phoneNumber": PHONE, "message": "x", "mediaUrls": "https://a.example/x", "mediaUrl": "https://a.example/x"});
    refuse_json(&app, SEND, both, (400, 8001, "duplicate_field")).await;
}

#[tokio::test]
async fn fields_that_are_missing_empty_or_of_another_type() {
    let app = TestApp::start().await;
    for value in [None, Some(json!("")), Some(Value::Null)] {
        let with = |body: Value, name: &str| {
            let mut body = body;
            if let Some(value) = &value {
                body[name] = value.clone();
            }
            body
        };
        let missing = (400, 8007, "missing_field");
        refuse_json(&app, REGISTER, with(json!({}), "phoneNumber"), missing).await;
        refuse_json(&app, PHONE_LOGIN, with(json!({}), "phoneNumber"), missing).await;
        refuse_json(&app, PASSWORD_LOGIN, with(json!({"phoneNumber": PHONE}), "password"), missing).await;
        refuse_json(&app, PASSWORD_LOGIN, with(json!({"password": PASSWORD}), "phoneNumber"), missing).await;
        refuse_json(&app, CODE_LOGIN, with(json!({"code": "123456"}), "transactionId"), missing).await;
        refuse_json(&app, CODE_LOGIN, with(json!({"transactionId": ID}), "code"), missing).await;
        refuse_json(&app, SEND, with(json!({"message": "x"}), "phoneNumber"), missing).await;
        refuse_json(&app, SEND, with(json!({"phoneNumber": PHONE}), "message"), (400, 8007, "message_empty")).await;
    }
    for value in [json!(14_155_550_101_u64), json!(true), json!([PHONE]), json!({"a": 1})] {
        let wrong = (400, 8008, "wrong_type");
        refuse_json(&app, REGISTER, json!({"phoneNumber": value}), wrong).await;
        refuse_json(&app, PHONE_LOGIN, json!({"phoneNumber": value}), wrong).await;
        refuse_json(&app, PASSWORD_LOGIN, json!({"phoneNumber": PHONE, "password": value}), wrong).await;
        refuse_json(&app, CODE_LOGIN, json!({"transactionId": ID, "code": value}), wrong).await;
        refuse_json(&app, SEND, json!({"phoneNumber": PHONE, "message": value}), wrong).await;
    }
    for value in [json!(1), json!(true), json!({"a": 1}), json!([1]), json!([null]), json!(["https://a.example/x", []])]
    {
        let body = json!({"phoneNumber": PHONE, "message": "x", "mediaUrls": value});
        refuse_json(&app, SEND, body, (400, 8008, "wrong_type")).await;
    }
}

#[tokio::test]
async fn numbers_that_are_none_or_not_served() {
    let app = TestApp::start().await;
    let invalid = [
        "phone",
        "+1",
        "911",
        "555-0100",
        "+15550100",
        "+1415555010",
        "+141555501011",
        "+99912345678",
        "1-800-FLOWERS",
        "+1415555CALL",
        "+1415555\u{0}0101",
        "+1415555\n0101",
        "+１４１５５５５０１０１",
        "+14155550101;ext=1",
    ];
    let refused = invalid.map(|phone| (phone, (400, 8008, "invalid_phone_number")));
    let not_served = ["+19005550101", "+449012345678", "+448431234567", "+18005550101"]
        .map(|phone| (phone, (400, 14000, "number_not_served")));
    let abroad =
        ["+447400123456", "+4915123456789", "+870773111632"].map(|phone| (phone, (400, 14000, "country_not_served")));
    for (phone, expected) in refused.into_iter().chain(not_served).chain(abroad) {
        refuse_json(&app, REGISTER, json!({"phoneNumber": phone}), expected).await;
        refuse_json(&app, PHONE_LOGIN, json!(phone), expected).await;
        refuse_json(&app, PASSWORD_LOGIN, json!({"phoneNumber": phone, "password": PASSWORD}), expected).await;
        refuse_json(&app, SEND, json!({"phoneNumber": phone, "message": "x"}), expected).await;
    }
    refuse(&app, PHONE_LOGIN, "not a number at all", (400, 8008, "invalid_phone_number")).await;
    let message = async |phone: &str| app.register_start(phone).await.body["message"].clone();
    for phone in ["+1415555010", "jane"] {
        assert_eq!(message(phone).await, "Invalid parameter 'phoneNumber'");
    }
    assert_eq!(
        message("07400 123456").await,
        "Invalid parameter 'phoneNumber': it has no country code, so it was read as a number of US. Write it like +14155550100"
    );
    refuse(&app, PHONE_LOGIN, "1".repeat(16_000), (400, 8008, "invalid_phone_number")).await;
}

#[tokio::test]
async fn ids_and_codes_of_another_shape() {
    let app = TestApp::start().await;
    for id in [
        "T",
        "5E1F0B5C00000000000000000000BBBB",
        "5E1F0B5C-0000-0000-0000-00000000BBBG",
        "5E1F0B5C-0000-0000-0000-00000000BBBB ",
        "../users",
        "\u{0}",
    ] {
        refuse_json(
            &app,
            CODE_LOGIN,
            json!({"transactionId": id, "code": "123456"}),
            (400, 8008, "invalid_transaction_id"),
        )
        .await;
        let body = TestApp::registration(PHONE, "jane@example.com", id, "123456");
        refuse_json(&app, REGISTER, body, (400, 8008, "invalid_transaction_id")).await;
    }
    for code in [
        "12345",
        "1234567",
        "12 456",
        " 123456",
        "123456\n",
        "12345a",
        "-12345",
        "١٢٣٤٥٦",
        "１２３４５６",
        "123456\u{0}",
    ] {
        refuse_json(&app, CODE_LOGIN, json!({"transactionId": ID, "code": code}), (400, 8008, "invalid_code")).await;
        refuse_json(
            &app,
            REGISTER,
            TestApp::registration(PHONE, "jane@example.com", ID, code),
            (400, 8008, "invalid_code"),
        )
        .await;
    }
    refuse_json(&app, CODE_LOGIN, json!({"transactionId": ID, "code": "123456"}), (401, 14000, "code_rejected")).await;
    refuse_json(
        &app,
        REGISTER,
        TestApp::registration(PHONE, "jane@example.com", ID, "123456"),
        (401, 14000, "code_rejected"),
    )
    .await;
}

#[tokio::test]
async fn a_registration_s_own_rules() {
    let app = TestApp::start().await;
    let with = |name: &str, value: Value| {
        let mut body = TestApp::registration(PHONE, "jane@example.com", ID, "123456");
        body[name] = value;
        body
    };
    let cases = [
        ("password", Value::Null, (400, 3011, "password_missing")),
        ("password", json!(""), (400, 3011, "password_missing")),
        ("password", json!(12_345_678), (400, 3050, "password_not_text")),
        ("password", json!("short77"), (400, 14000, "password_too_short")),
        ("password", json!("x".repeat(129)), (400, 14000, "password_too_long")),
        ("password", json!("Password1"), (400, 14000, "password_too_common")),
        ("password", json!("a nul \u{0} inside"), (400, 14000, "password_not_printable")),
        ("email", Value::Null, (400, 3013, "identity_missing")),
        ("email", json!("jane"), (400, 3040, "invalid_email")),
        ("email", json!("jane@example.com\n"), (400, 3040, "invalid_email")),
        ("email", json!(1), (400, 8008, "wrong_type")),
        ("objectId", json!("CBFA6722-58AD-12BE-FF80-28999D7D0200"), (400, 3039, "reserved_object_id")),
        ("updated", json!(1), (400, 3076, "reserved_updated")),
        ("created", json!(1), (400, 3077, "reserved_created")),
        ("bad name", json!(1), (400, 14000, "invalid_properties")),
        ("own", json!("x".repeat(4097)), (400, 3049, "invalid_property_value")),
        ("own", json!({"a": {"b": {"c": {"d": {"e": {}}}}}}), (400, 3049, "invalid_property_value")),
        ("own", json!("bell \u{7}"), (400, 3049, "invalid_property_value")),
    ];
    for (name, value, expected) in cases {
        refuse_json(&app, REGISTER, with(name, value), expected).await;
    }
}

#[tokio::test]
async fn a_first_step_that_cannot_lead_to_a_second_costs_no_message() {
    let app = TestApp::start().await;
    let with = |name: &str, value: Value| json!({"phoneNumber": PHONE, name: value});
    let lone_code = (400, 8007, "missing_field");
    let misspelt = (400, 8008, "unknown_field");
    let cases = [
        ("transactionID", json!(ID), misspelt),
        ("transactionid", json!(ID), misspelt),
        ("transaction_id", json!(ID), misspelt),
        ("transactionCode", json!("123456"), lone_code),
        ("transactionCode", json!(123_456), lone_code),
        ("transactioncode", json!("123456"), lone_code),
        ("code", json!("123456"), lone_code),
        ("password", json!(12_345_678), (400, 3050, "password_not_text")),
        ("password", json!("short77"), (400, 14000, "password_too_short")),
        ("password", json!("Password1"), (400, 14000, "password_too_common")),
        ("password", json!("my 4155550101"), (400, 14000, "password_known")),
        ("email", json!("jane"), (400, 3040, "invalid_email")),
        ("email", json!(1), (400, 8008, "wrong_type")),
        ("objectId", json!("CBFA6722-58AD-12BE-FF80-28999D7D0200"), (400, 3039, "reserved_object_id")),
        ("bad name", json!(1), (400, 14000, "invalid_properties")),
        ("own", json!("x".repeat(4097)), (400, 3049, "invalid_property_value")),
    ];
    for (name, value, expected) in cases {
        refuse_json(&app, REGISTER, with(name, value), expected).await;
    }
    let reply = app.post(REGISTER, &with("transactionID", json!(ID))).await;
    assert_eq!(reply.body["message"], "Invalid parameter 'transactionID': the name is 'transactionId'");
}

/// SDKs send the whole user object, with the fields of step 2 that are still empty. And `code` may be an own property.
#[tokio::test]
async fn a_first_step_may_hold_the_user() {
    let app = TestApp::start().await;
    let user = json!({
        "phoneNumber": PHONE, "email": "jane@example.com", "password": PASSWORD, "___class": "Users", "blUserLocale": "en",
        "objectId": null, "transactionId": null, "transactionCode": "", "code": "SUMMER", "name": "Jane", "transactionCount": 1,
    });
    challenge_id(&app.post(REGISTER, &user).await.ok());
    assert_eq!(app.sent(), 1);
    let empty = json!({"phoneNumber": "+14155550102", "email": "", "password": ""});
    challenge_id(&app.post(REGISTER, &empty).await.ok());
    assert_eq!(app.sent(), 2);
}

#[tokio::test]
async fn bad_input_costs_no_attempt() {
    let app = TestApp::start().await;
    let id = challenge_id(&app.register_start(PHONE).await.ok());
    let code = app.last_code(PHONE);
    for _ in 0..10 {
        let mut body = TestApp::registration(PHONE, "jane@example.com", &id, &code);
        body["password"] = json!("short");
        app.post(REGISTER, &body).await.refused(400, 14000, "password_too_short");
        app.post(REGISTER, &TestApp::registration(PHONE, "jane@example.com", &id, "12")).await.refused(
            400,
            8008,
            "invalid_code",
        );
    }
    app.post(REGISTER, &TestApp::registration(PHONE, "jane@example.com", &id, &code)).await.ok();
}

#[tokio::test]
async fn a_client_sets_no_system_property() {
    let app = TestApp::start().await;
    let id = challenge_id(&app.register_start(PHONE).await.ok());
    let mut body = TestApp::registration(PHONE, "jane@example.com", &id, &app.last_code(PHONE));
    let evil = json!({"ownerId": "X", "userStatus": "DISABLED", "user-token": "X", "lastLogin": 1, "socialAccount": "X", "___class": "Admins",
        "___jsonclass": "X", "__meta": "X", "roles": ["Admin"], "userRoles": ["Admin"], "objectId": null});
    body.as_object_mut().unwrap().extend(evil.as_object().unwrap().clone());
    let user = app.post(REGISTER, &body).await.ok();
    assert_eq!(
        (&user["ownerId"], &user["userStatus"], &user["___class"]),
        (&user["objectId"], &json!("ENABLED"), &json!("Users"))
    );
    for name in [
        "user-token",
        "lastLogin",
        "socialAccount",
        "___jsonclass",
        "__meta",
        "roles",
        "userRoles",
        "password",
        "transactionId",
        "transactionCode",
    ] {
        assert_eq!(user.get(name), None, "{name}");
    }
}

#[tokio::test]
async fn a_step_two_with_another_phone_is_refused() {
    let app = TestApp::start().await;
    let id = challenge_id(&app.register_start(PHONE).await.ok());
    let code = app.last_code(PHONE);
    let body = TestApp::registration("+14155550102", "jane@example.com", &id, &code);
    app.post(REGISTER, &body).await.refused(401, 14000, "code_rejected");
    app.post(REGISTER, &TestApp::registration(PHONE, "jane@example.com", &id, &code)).await.ok();
}

#[tokio::test]
async fn messages_that_cannot_be_sent() {
    let app = TestApp::with(&[("SMS_COUNTRIES", "US,GB")]).await;
    let with = |name: &str, value: Value| {
        let mut body = json!({"phoneNumber": PHONE, "message": "Look"});
        body[name] = value;
        body
    };
    refuse_json(&app, SEND, with("message", json!("a".repeat(1601))), (400, 14000, "message_too_long")).await;
    refuse_json(&app, SEND, with("message", json!("ж".repeat(738))), (400, 14000, "message_too_long")).await;
    refuse_json(&app, SEND, with("message", json!("a \u{0} b")), (400, 8008, "message_not_text")).await;
    refuse_json(&app, SEND, with("message", json!("\u{1b}[31m")), (400, 8008, "message_not_text")).await;
    for link in [
        "x",
        "http://a.example/x.png",
        "https://127.0.0.1/x",
        "https://localhost/x",
        "https://a.example/x,",
        "http%3A%2F%2Fa.example",
        "javascript:x",
    ] {
        refuse_json(&app, SEND, with("mediaUrls", json!(link)), (400, 8008, "invalid_media_url")).await;
    }
    let eleven = ["https://a.example/x.png"; 11].join(",");
    refuse_json(&app, SEND, with("mediaUrls", json!(eleven)), (400, 14000, "too_many_media_urls")).await;
    for phone in ["+447400123456", "+4915123456789"] {
        let body = json!({"phoneNumber": phone, "message": "x", "mediaUrls": "https://a.example/x.png"});
        refuse_json(&app, SEND, body, (400, 14000, "media_not_served")).await;
    }
}

#[tokio::test]
async fn send_message_without_its_key() {
    let app = TestApp::start().await;
    let body = json!({"phoneNumber": PHONE, "message": "x"}).to_string();
    let none = "Access denied: send the message key in the header 'Authorization: Bearer KEY'";
    let wrong = "Access denied: this is not the message key";
    let keys = [
        (None, none),
        (Some(""), none),
        (Some("Bearer"), none),
        (Some("Bearer "), none),
        (Some("Basic bG9jYWw="), none),
        (Some(local::MESSAGE_KEY), none),
        (Some("Bearer wrong"), wrong),
    ];
    for (key, message) in keys {
        let mut request = app.request(Method::POST, SEND).header("content-type", "application/json");
        if let Some(key) = key {
            request = request.header("authorization", key);
        }
        let reply = app.send(request.body(body.clone())).await;
        reply.refused(401, 14008, "access_denied");
        assert_eq!(reply.body["message"], message, "{key:?}");
        assert_eq!(reply.headers["www-authenticate"], "Bearer");
    }
    // A client without the key learns nothing more from a bad body.
    app.post_text(SEND, "{").await.refused(401, 14008, "access_denied");
    assert_eq!(app.sent(), 0);
}

#[tokio::test]
async fn paths_methods_and_applications_that_are_unknown() {
    let app = TestApp::start().await;
    for path in [
        "/",
        "/api",
        "/api/",
        "/api/nothing",
        "/api/users/register/",
        "/api/services/Plivo/nothing",
        "/users/logout",
        "/%00",
    ] {
        app.get(path, None).await.refused(404, 14002, "not_found");
        app.post(path, &json!({})).await.refused(404, 14002, "not_found");
    }
    for (method, path, allow) in [
        (Method::GET, REGISTER, "POST"),
        (Method::PUT, CODE_LOGIN, "POST"),
        (Method::POST, "/api/info", "GET"),
        (Method::DELETE, "/api/users/logout", "GET"),
        (Method::GET, "/api/data/Users", "PUT"),
        (Method::POST, "/api/users/somebody", "PUT, DELETE"),
    ] {
        let reply = app.send(app.request(method, path)).await;
        reply.refused(405, 14002, "method_not_allowed");
        assert_eq!(reply.headers["allow"], allow);
    }
    for root in [
        format!("/X/{}", local::API_KEY),
        format!("/{}/X", local::APP_ID),
        format!("/{}/{}", local::API_KEY, local::APP_ID),
        "/a/b".to_owned(),
    ] {
        app.get(&format!("{root}/info"), None).await.refused(400, 2002, "unknown_application");
        let path = format!("{root}/users/register");
        refuse_json(&app, &path, json!({"phoneNumber": PHONE}), (400, 2002, "unknown_application")).await;
    }
}

/// Found by a review: `lambda_http` panics at these, which on AWS is a failed function and an alarm.
#[tokio::test]
async fn events_that_are_no_http_are_refused_and_crash_nothing() {
    let app = TestApp::start().await;
    let event = |change: &dyn Fn(&mut Value)| {
        let mut event = json!({
            "version": "2.0", "routeKey": "$default", "rawPath": "/api/info", "rawQueryString": "", "headers": {},
            "requestContext": {
                "http": { "method": "GET", "path": "/api/info", "protocol": "HTTP/1.1", "sourceIp": "192.0.2.1", "userAgent": "test" },
                "stage": "$default", "requestId": "test", "routeKey": "$default", "domainName": "api.example.com",
            },
            "isBase64Encoded": false,
        });
        change(&mut event);
        event
    };
    let refused: [&dyn Fn(&mut Value); 6] = [
        &|event| event["rawQueryString"] = json!("a=\"b"),
        &|event| event["rawQueryString"] = json!("a=<b"),
        &|event| event["rawQueryString"] = json!("a=b c"),
        &|event| event["rawQueryString"] = json!("a=\u{e9}\0"),
        &|event| event["rawPath"] = json!("api/info"),
        &|event| (event["isBase64Encoded"], event["body"]) = (json!(true), json!("no base64")),
    ];
    for (case, change) in refused.into_iter().enumerate() {
        let answer = app.stack.invoke("session", event(change)).await.unwrap();
        let reason: Value = serde_json::from_str(answer["body"].as_str().unwrap()).unwrap();
        assert_eq!(
            json!([answer["statusCode"], reason["errorData"]["reason"]]),
            json!([400, "invalid_request"]),
            "{case}"
        );
    }
    let answered: [&dyn Fn(&mut Value); 5] = [
        &|event| event["headers"] = json!({ "x-forwarded-proto": "http,https", "host": "a b" }),
        &|event| event["headers"] = json!({ "host": "[", "user-agent": "\u{e9}\n", "a b": "c", "n": 1 }),
        &|event| event["cookies"] = json!(["a=\u{1}"]),
        &|event| event["rawQueryString"] = json!("a=%22&b=#c"),
        &|event| event["requestContext"]["domainName"] = json!(null),
    ];
    for (case, change) in answered.into_iter().enumerate() {
        let answer = app.stack.invoke("session", event(change)).await.unwrap();
        assert_eq!(answer["statusCode"], 200, "{case}: {answer}");
    }
    for no_event in [json!(null), json!("text"), json!([]), json!({})] {
        assert_eq!(app.stack.invoke("session", no_event).await.unwrap_err().error_type, "Event");
    }
    assert_eq!(app.get("/api/users/isvalidusertoken/a%22b%20c%3Cd%7C%5E%60", None).await.ok(), json!(false));
    // The gateway has decoded them, so they are part of the path no more.
    for token in ["%3F", "%23", "a%5Cb", "%00", "a%2Fb"] {
        let reply = app.get(&format!("/api/users/isvalidusertoken/{token}"), None).await;
        reply.refused(404, 14002, "not_found");
    }
}
