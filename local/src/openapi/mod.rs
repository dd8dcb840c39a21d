//! The API's description, an OpenAPI 3.1 document: from the service's own routes, reasons and settings, and the table in
//! [`operations`]. `clients/openapi.json` is the document of the default settings; the local stack serves that of its own settings at
//! `/openapi.json`, and a page that shows it at `/docs/`.

mod operations;
mod schemas;

use std::collections::BTreeMap;

use axum::Router;
use serde_json::{Value, json};
use shared::auth::password::{MAX_LENGTH, MIN_LENGTH};
use shared::config::Settings;
use shared::http::Reason;
use shared::http::routes::ROUTES;
use utoipa::openapi::path::{HttpMethod, OperationBuilder, Parameter, ParameterBuilder, ParameterIn, Paths};
use utoipa::openapi::request_body::RequestBodyBuilder;
use utoipa::openapi::schema::{AdditionalProperties, ArrayBuilder, Object, ObjectBuilder, Schema, Type};
use utoipa::openapi::security::{
    ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme,
};
use utoipa::openapi::server::{ServerBuilder, ServerVariableBuilder};
use utoipa::openapi::tag::TagBuilder;
use utoipa::openapi::{
    Components, Content, ContentBuilder, Deprecated, Header, InfoBuilder, LicenseBuilder, OpenApi, OpenApiBuilder, Ref,
    RefOr, Required, Response, ResponseBuilder,
};
use utoipa::{PartialSchema, ToSchema};
use utoipa_swagger_ui::{Config, SwaggerUi};

pub use operations::{Operation, Security, operations};

/// `/openapi.json`, and a page that shows it at `/docs/`, which loads nothing from elsewhere.
pub(crate) fn router(settings: &Settings, url: &str) -> Router {
    let config = Config::default().validator_url("none").try_it_out_enabled(true).persist_authorization(true);
    SwaggerUi::new("/docs").url("/openapi.json", document(settings, url)).config(config).into()
}

/// The groups of operations, in the order of the page.
pub const TAGS: [&str; 6] = ["Registration and login", "Session", "Account", "Messages", "Back end", "From Plivo"];

/// The phone's property where it is not renamed.
const PHONE: &str = "phoneNumber";

/// The document of a service with these settings below this URL.
pub fn document(settings: &Settings, url: &str) -> OpenApi {
    let info = InfoBuilder::new()
        .title("Otpost")
        .version(env!("CARGO_PKG_VERSION"))
        .description(Some("Phone login and SMS. Errors are `{\"code\", \"message\", \"errorData\": {\"reason\"}}`: branch on `reason`."))
        .license(Some(LicenseBuilder::new().name("MIT OR Apache-2.0").identifier(Some("MIT OR Apache-2.0")).build()));
    let mut paths = Paths::new();
    for operation in operations() {
        paths.add_path_operation(operation.path, vec![method(operation.method)], build_operation(&operation, url));
    }
    let server_with_keys = ServerBuilder::new()
        .url(format!("{url}/{{appId}}/{{apiKey}}"))
        .description(Some("As the Backendless SDK calls it"))
        .parameter("appId", ServerVariableBuilder::new().default_value(settings.app_id.as_str()))
        .parameter("apiKey", ServerVariableBuilder::new().default_value(settings.api_key.as_str()));
    let server = ServerBuilder::new().url(format!("{url}/api")).build();
    OpenApiBuilder::new()
        .info(info.build())
        .servers(Some([server, server_with_keys.build()]))
        .paths(paths)
        .tags(Some(TAGS.map(|name| TagBuilder::new().name(name).build())))
        .components(Some(components(settings)))
        .build()
}

fn method(name: &str) -> HttpMethod {
    match name {
        "GET" => HttpMethod::Get,
        "PUT" => HttpMethod::Put,
        "DELETE" => HttpMethod::Delete,
        _ => HttpMethod::Post,
    }
}

fn build_operation(operation: &Operation, url: &str) -> OperationBuilder {
    let mut builder = OperationBuilder::new()
        .operation_id(Some(operation.id))
        .tag(operation.tag)
        .summary(Some(operation.summary))
        .description(Some(operation.description).filter(|text| !text.is_empty()));
    for parameter in parameters(operation) {
        builder = builder.parameter(parameter);
    }
    if let Some((schema, examples)) = &operation.body {
        // A query may be empty.
        let required = if *schema == "Query" { Required::False } else { Required::True };
        let kind = match operation.security {
            Security::Plivo => "application/x-www-form-urlencoded",
            _ => "application/json",
        };
        let body = RequestBodyBuilder::new().content(kind, content(schema, examples));
        builder = builder.request_body(Some(body.required(Some(required)).build()));
    }
    if let Some((schema, examples)) = &operation.answer {
        let ok = ResponseBuilder::new().description("OK").content("application/json", content(schema, examples));
        builder = builder.response("200", ok.build());
    } else if operation.security == Security::Plivo {
        builder = builder.response("200", ResponseBuilder::new().description("OK").build());
    } else {
        builder = builder.deprecated(Some(Deprecated::True));
    }
    for (status, reasons) in by_status(&operation.reasons) {
        builder = builder.response(status.to_string(), refusal(status, &reasons));
    }
    if has_no_root(operation) {
        builder = builder.server(ServerBuilder::new().url(url).build());
    }
    for requirement in requirements(operation.security) {
        builder = builder.security(requirement);
    }
    builder
}

/// True if the path has no root.
fn has_no_root(operation: &Operation) -> bool {
    ROUTES.iter().filter(|route| route.path == operation.path).all(|route| route.roots == [""])
}

fn requirements(security: Security) -> Vec<SecurityRequirement> {
    let session = || SecurityRequirement::new("session", [""; 0]);
    match security {
        Security::None => vec![],
        Security::Session => vec![session()],
        Security::OptionalSession => vec![SecurityRequirement::default(), session()],
        Security::MessageKey => vec![SecurityRequirement::new("messageKey", [""; 0])],
        Security::Plivo => vec![SecurityRequirement::new("plivoSignature", [""; 0])],
    }
}

/// The parameters in the path and the query, and the headers.
fn parameters(operation: &Operation) -> Vec<Parameter> {
    let text = || ObjectBuilder::new().schema_type(Type::String);
    let in_path = operation.path.split(['{', '}']).nth(1).map(|name| {
        let (description, example) = match name {
            "objectId" => ("The user's id.", "CBFA6722-58AD-12BE-FF80-28999D7D0200"),
            "sessionId" => ("The session's id, from `/users/sessions`.", "3f1c"),
            "phone" => ("The phone, E.164, URL-encoded.", "+14155550100"),
            "uuid" => ("The message's id, from `sendMessage`.", "8b9cdb3e-0b0f-11f0-8ee3-0242ac110004"),
            "sendId" => ("What Plivo was given with the message.", "E6C1E533-AE95-3881-9FBC-162AAF6951B2"),
            "identity" => ("The user's phone or e-mail address, URL-encoded.", "+14155550100"),
            _ => ("The session's token.", "B83FA46D-A19A-A8CE-FF2B-976B7A1D8100"),
        };
        let schema = text().pattern(Some("^[^/]+$")).build();
        let builder = ParameterBuilder::new().name(name).parameter_in(ParameterIn::Path).required(Required::True);
        builder.description(Some(description)).schema(Some(schema)).example(Some(json!(example))).build()
    });
    let in_query = operation.takes_channel.then(|| {
        let schema = text().enum_values(Some(["sms", "voice"])).build();
        let builder =
            ParameterBuilder::new().name("channel").parameter_in(ParameterIn::Query).required(Required::False);
        builder.description(Some("How the code is to come. By SMS, if it is missing.")).schema(Some(schema)).build()
    });
    let headers = operation.headers.iter().map(|name| {
        let description = match *name {
            "device-token" => "A device token. In `loginWithCode`, `new` requests one.",
            "captcha-token" => "The captcha token, if a captcha is configured.",
            _ => "Client-chosen key; a message with the same key is sent only once.",
        };
        let schema = text().build();
        let builder = ParameterBuilder::new().name(*name).parameter_in(ParameterIn::Header).required(Required::False);
        builder.description(Some(description)).schema(Some(schema)).build()
    });
    in_path.into_iter().chain(in_query).chain(headers).collect()
}

/// A body of this schema; `[]` after it is a list of it.
fn content(schema: &str, examples: &[(&str, Value)]) -> Content {
    let one = |name: &str| match name {
        "string" => RefOr::T(Schema::from(ObjectBuilder::new().schema_type(Type::String).build())),
        "boolean" => RefOr::T(Schema::from(ObjectBuilder::new().schema_type(Type::Boolean).build())),
        "integer" => RefOr::T(Schema::from(ObjectBuilder::new().schema_type(Type::Integer).build())),
        name => RefOr::Ref(Ref::from_schema_name(name)),
    };
    let schema = match schema.strip_suffix("[]") {
        Some(item) => RefOr::T(Schema::from(ArrayBuilder::new().items(one(item)).build())),
        None => one(schema),
    };
    let mut content = ContentBuilder::new().schema(Some(schema));
    match examples {
        [(_, only)] => content = content.example(Some(only.clone())),
        many => {
            let named = many.iter().map(|(name, value)| ((*name).to_owned(), example(value)));
            content = content.examples_from_iter(named);
        }
    }
    content.build()
}

fn example(value: &Value) -> utoipa::openapi::example::Example {
    utoipa::openapi::example::ExampleBuilder::new().value(Some(value.clone())).build()
}

fn by_status(reasons: &[Reason]) -> BTreeMap<u16, Vec<Reason>> {
    let mut found: BTreeMap<u16, Vec<Reason>> = BTreeMap::new();
    for reason in reasons {
        let of_status = found.entry(reason.status().as_u16()).or_default();
        if !of_status.contains(reason) {
            of_status.push(*reason);
        }
    }
    found
}

/// The answer of a refusal: its reasons by name, each with its body in the components' examples.
fn refusal(status: u16, reasons: &[Reason]) -> Response {
    let names: Vec<_> = reasons.iter().map(|reason| format!("`{}`", reason.as_str())).collect();
    let examples = reasons.iter().map(|reason| {
        let name = reason.as_str().to_owned();
        (name.clone(), RefOr::Ref(Ref::new(format!("#/components/examples/{name}"))))
    });
    let mut content = Content::new(Some(Ref::from_schema_name("ErrorResponse")));
    content.examples = examples.collect();
    let mut response = ResponseBuilder::new().description(names.join(", ")).content("application/json", content);
    let headers: &[_] = match status {
        429 => &["Retry-After", "RateLimit", "RateLimit-Policy"],
        503 => &["Retry-After"],
        _ => &[],
    };
    for name in headers {
        response = response.header_ref(*name, Ref::new(format!("#/components/headers/{name}")));
    }
    response.build()
}

fn components(settings: &Settings) -> Components {
    let mut components = Components::new();
    components.schemas = schemas(settings);
    for reason in Reason::ALL {
        let body = shared::http::Problem::new(*reason).body();
        components.examples.insert(reason.as_str().to_owned(), RefOr::T(example(&body)));
    }
    let header = |kind, text: &str| {
        let mut header = Header::new(ObjectBuilder::new().schema_type(kind).build());
        header.description = Some(text.to_owned());
        RefOr::T(header)
    };
    components.headers = BTreeMap::from([
        ("Retry-After".to_owned(), header(Type::Integer, "Seconds after which to try again.")),
        ("RateLimit".to_owned(), header(Type::String, "What is left of the limit (IETF draft).")),
        ("RateLimit-Policy".to_owned(), header(Type::String, "The limit (IETF draft).")),
    ]);
    let session = ApiKeyValue::with_description("user-token", "The session's token, from `loginWithCode`.");
    components.add_security_scheme("session", SecurityScheme::ApiKey(ApiKey::Header(session)));
    let bearer = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).description(Some("The message key."));
    components.add_security_scheme("messageKey", SecurityScheme::Http(bearer.build()));
    let plivo = ApiKeyValue::with_description(
        "x-plivo-signature-v3",
        "Plivo's signature; or `-ma-v3`, by the main account's token.",
    );
    components.add_security_scheme("plivoSignature", SecurityScheme::ApiKey(ApiKey::Header(plivo)));
    components
}

/// All schemas, with what settings change in them.
fn schemas(settings: &Settings) -> BTreeMap<String, RefOr<Schema>> {
    use schemas::*;
    let mut all = BTreeMap::new();
    macro_rules! add { ($($kind:ident)+) => { $(all.insert(<$kind as ToSchema>::name().into_owned(), <$kind as PartialSchema>::schema());)+ } }
    add!(Registration Phone PhoneAndPassword TransactionCode PasswordReset PasswordVerification UserChange Message Consent Query);
    add!(Transaction TransactionStatus);
    add!(User Session UserExport Column Info Jwt OpenidConfiguration Jwks PasswordCheck DeletionResult MessageAccepted MessageStatus PlivoForm);
    add!(Consents OptOut ConsentRecord);
    add!(ErrorResponse ErrorData);
    let empty = ObjectBuilder::new().schema_type(Type::Object).description(Some("Nothing."));
    all.insert("Empty".to_owned(), RefOr::T(empty.into()));

    let user = all["User"].clone();
    let found = with_only_required(&user, &["objectId", "___class"], "A user, or its requested properties.");
    let registered = with_only_required(&user, &[], "Step 1: only `transactionId`. Step 2: the user.");
    all.extend([("FoundUser".to_owned(), found), ("RegistrationAnswer".to_owned(), registered)]);
    for name in ["Registration", "UserChange", "User", "FoundUser", "RegistrationAnswer"] {
        if let Some(RefOr::T(Schema::Object(object))) = all.get_mut(name) {
            customize(object, &settings.phone_column);
        }
    }
    for schema in ["Registration", "UserChange", "PasswordReset"] {
        edit(&mut all, schema, "password", |password| {
            (password.min_length, password.max_length) = (Some(MIN_LENGTH), Some(MAX_LENGTH));
        });
    }
    let digits = settings.code_length;
    for (schema, code) in [
        ("Registration", "transactionCode"),
        ("UserChange", "transactionCode"),
        ("TransactionCode", "code"),
        ("PasswordReset", "code"),
    ] {
        edit(&mut all, schema, code, |code| {
            code.description =
                Some(format!("The code from the SMS: {digits} digits or, during a guessing attack, eight."));
        });
    }
    edit(&mut all, "ErrorData", "reason", |reason| {
        reason.enum_values = Some(Reason::ALL.iter().map(|reason| json!(reason.as_str())).collect());
    });
    all
}

/// A schema as JSON; null if there is none of this name.
pub(crate) fn schema(settings: &Settings, name: &str) -> Value {
    schemas(settings).remove(name).map_or(Value::Null, |schema| json!(schema))
}

/// The same schema, of which only these properties must be there.
fn with_only_required(schema: &RefOr<Schema>, required: &[&str], description: &str) -> RefOr<Schema> {
    let mut schema = schema.clone();
    if let RefOr::T(Schema::Object(object)) = &mut schema {
        object.required = required.iter().map(|&name| name.to_owned()).collect();
        object.description = Some(description.to_owned());
    }
    schema
}

/// Allows custom properties, and gives the phone its column's name.
fn customize(object: &mut Object, phone_column: &str) {
    object.additional_properties = Some(Box::new(AdditionalProperties::FreeForm(true)));
    if phone_column != PHONE
        && let Some(phone) = object.properties.shift_remove(PHONE)
    {
        object.properties.insert(phone_column.to_owned(), phone);
    }
    for name in object.required.iter_mut().filter(|name| *name == PHONE) {
        phone_column.clone_into(name);
    }
}

/// Edits a property of a schema.
fn edit(all: &mut BTreeMap<String, RefOr<Schema>>, schema: &str, property: &str, change: impl FnOnce(&mut Object)) {
    if let Some(RefOr::T(Schema::Object(object))) = all.get_mut(schema)
        && let Some(RefOr::T(Schema::Object(property))) = object.properties.get_mut(property)
    {
        change(property);
    }
}
