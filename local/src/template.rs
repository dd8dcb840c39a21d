//! Reads `template.yaml`, so that tests can hold what is deployed against the code: routes, names, settings, permissions. No
//! program does. Uses `saphyr`.
//!
//! CloudFormation's short forms become the long ones (`!Ref X` is `{"Ref": "X"}`), so that there is one kind of tree, JSON.

use std::collections::{BTreeMap, BTreeSet};

use saphyr::{LoadableYamlNode as _, Scalar, Yaml};
use serde_json::{Map, Number, Value, json};

const TEXT: &str = include_str!("../../template.yaml");

/// The template is not what this reader can judge. Says where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TemplateError(String);

impl std::fmt::Display for TemplateError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "template.yaml: {}", self.0)
    }
}

impl std::error::Error for TemplateError {}

/// What the template makes.
#[derive(Debug, Clone)]
pub struct Template {
    /// The functions, by the name of their folder.
    pub functions: BTreeMap<String, Function>,
    /// The environment of all functions: a variable's name, and the resource or parameter that it refers to (the first, where
    /// there are several); the text itself where it refers to none.
    pub environment: BTreeMap<String, String>,
    /// The parameters.
    pub parameters: Map<String, Value>,
    /// The resources, by their logical ids.
    pub resources: Map<String, Value>,
    /// All of it.
    pub document: Value,
}

/// A function.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Function {
    /// Its logical id.
    pub logical: String,
    /// The binary that is built for it.
    pub binary: String,
    /// The gateway's routes that lead to it, like `POST /api/users/register`, or `$default`.
    pub routes: BTreeSet<String>,
    /// What it may do: an action, like `dynamodb:GetItem`, and the logical id of the resource.
    pub permissions: BTreeSet<(String, String)>,
    /// The logical id of its role.
    pub role: String,
    /// The logical id of its log group.
    pub log_group: String,
    /// Seconds.
    pub timeout: u64,
    /// Megabytes.
    pub memory: u64,
}

impl Template {
    /// Reads the template of this repository.
    ///
    /// # Errors
    /// [`TemplateError`], also where a role is not exact: an action with `*`, a resource that is not one of the template's.
    pub fn read() -> Result<Self, TemplateError> {
        Self::parse(TEXT)
    }

    /// Reads a template.
    ///
    /// # Errors
    /// [`TemplateError`].
    pub fn parse(text: &str) -> Result<Self, TemplateError> {
        let documents = Yaml::load_from_str(text).map_err(|error| TemplateError(error.to_string()))?;
        let [document] = documents.as_slice() else { return Err(TemplateError("not one document".to_owned())) };
        let document = plain(document)?;
        let resources = object(&document, "/Resources")?.clone();
        let functions = resources.iter().filter(|(_, resource)| resource["Type"] == "AWS::Serverless::Function");
        let functions = functions.map(|(logical, resource)| {
            let function = Function::read(logical, resource, &resources)?;
            Ok((kebab(logical), function))
        });
        let environment = object(&document, "/Globals/Function/Environment/Variables")?;
        let refers = |value: &Value| reference(value).or_else(|| text_of(value)).unwrap_or_default();
        Ok(Self {
            functions: functions.collect::<Result<_, _>>()?,
            environment: environment.iter().map(|(name, value)| (name.clone(), refers(value))).collect(),
            parameters: object(&document, "/Parameters")?.clone(),
            resources,
            document,
        })
    }

    /// The resources of one type, like `AWS::DynamoDB::Table`: logical id and properties.
    pub fn of_type<'a>(&'a self, kind: &'a str) -> impl Iterator<Item = (&'a str, &'a Value)> {
        let of_kind = self.resources.iter().filter(move |(_, resource)| resource["Type"] == kind);
        of_kind.map(|(logical, resource)| (logical.as_str(), &resource["Properties"]))
    }
}

impl Function {
    fn read(logical: &str, resource: &Value, resources: &Map<String, Value>) -> Result<Self, TemplateError> {
        let properties = &resource["Properties"];
        let missing = |what: &str| TemplateError(format!("{logical} has no {what}"));
        let role = reference(&properties["Role"]).ok_or_else(|| missing("role of its own"))?;
        let binary = &resource["Metadata"]["BuildProperties"]["Binary"];
        Ok(Self {
            logical: logical.to_owned(),
            binary: text_of(binary).ok_or_else(|| missing("Binary"))?,
            routes: routes(&properties["Events"]),
            permissions: permissions(&role, &resources[&role])?,
            role,
            log_group: reference(&properties["LoggingConfig"]["LogGroup"]).ok_or_else(|| missing("log group"))?,
            timeout: properties["Timeout"].as_u64().ok_or_else(|| missing("Timeout"))?,
            memory: properties["MemorySize"].as_u64().ok_or_else(|| missing("MemorySize"))?,
        })
    }
}

/// The routes of a function's events; an event without a path is the gateway's `$default`.
fn routes(events: &Value) -> BTreeSet<String> {
    let events = events.as_object().into_iter().flat_map(Map::values).filter(|event| event["Type"] == "HttpApi");
    let route = |event: &Value| match (&event["Properties"]["Method"], &event["Properties"]["Path"]) {
        (Value::String(method), Value::String(path)) => format!("{method} {path}"),
        _ => "$default".to_owned(),
    };
    events.map(route).collect()
}

/// The resource of an action that takes none.
pub const ANY: &str = "*";
/// The actions that take none (Service Authorization Reference). This one gives nothing by itself: each secret is judged besides.
const WITHOUT_RESOURCE: [&str; 1] = ["secretsmanager:BatchGetSecretValue"];

/// What a role allows. Refuses what cannot be judged exactly: managed policies, denials, wildcards, foreign resources.
fn permissions(role: &str, resource: &Value) -> Result<BTreeSet<(String, String)>, TemplateError> {
    let inexact = |what: String| TemplateError(format!("{role} {what}"));
    let properties = &resource["Properties"];
    if !properties["ManagedPolicyArns"].is_null() {
        return Err(inexact("has managed policies".to_owned()));
    }
    let mut permissions = BTreeSet::new();
    let statements =
        many(&properties["Policies"]).iter().flat_map(|policy| many(&policy["PolicyDocument"]["Statement"]));
    for statement in statements {
        if statement["Effect"] != "Allow" || !statement["NotAction"].is_null() || !statement["NotResource"].is_null() {
            return Err(inexact(format!("has a statement of another kind: {statement}")));
        }
        for action in many(&statement["Action"]) {
            let action = text_of(action).filter(|action| !action.contains('*'));
            let action = action.ok_or_else(|| inexact(format!("has an action that is not one: {statement}")))?;
            for on in many(&statement["Resource"]) {
                let any = || (on == ANY && WITHOUT_RESOURCE.contains(&action.as_str())).then(|| ANY.to_owned());
                let on = reference(on).or_else(any);
                let on = on.ok_or_else(|| inexact(format!("has a resource that is not one: {statement}")))?;
                permissions.insert((action.clone(), on));
            }
        }
    }
    Ok(permissions)
}

/// A list's elements, or the one that stands where a list could.
fn many(value: &Value) -> &[Value] {
    match value {
        Value::Null => &[],
        Value::Array(values) => values,
        one => std::slice::from_ref(one),
    }
}

/// What a value refers to by `Ref` or `Fn::GetAtt`, itself or in the first branch of an `Fn::If`.
pub fn reference(value: &Value) -> Option<String> {
    let (name, argument) = value.as_object().filter(|object| object.len() == 1)?.iter().next()?;
    match name.as_str() {
        "Ref" => text_of(argument),
        "Fn::GetAtt" => text_of(&argument[0]),
        "Fn::If" => reference(&argument[1]),
        _ => None,
    }
}

/// A text, also that of an `Fn::Sub`.
fn text_of(value: &Value) -> Option<String> {
    value.as_str().or_else(|| value["Fn::Sub"].as_str()).map(str::to_owned)
}

fn object<'a>(document: &'a Value, pointer: &str) -> Result<&'a Map<String, Value>, TemplateError> {
    let found = document.pointer(pointer).and_then(Value::as_object);
    found.ok_or_else(|| TemplateError(format!("{pointer} is missing")))
}

/// `LoginPhone` to `login-phone`.
fn kebab(logical: &str) -> String {
    let mut name = String::new();
    for letter in logical.chars() {
        if letter.is_ascii_uppercase() && !name.is_empty() {
            name.push('-');
        }
        name.push(letter.to_ascii_lowercase());
    }
    name
}

/// YAML to JSON, with CloudFormation's tags as what they are short for.
fn plain(node: &Yaml<'_>) -> Result<Value, TemplateError> {
    match node {
        Yaml::Value(scalar) => Ok(match scalar {
            Scalar::Null => Value::Null,
            Scalar::Boolean(value) => Value::Bool(*value),
            Scalar::Integer(value) => Value::from(*value),
            Scalar::FloatingPoint(value) => Number::from_f64(value.0).map_or(Value::Null, Value::Number),
            Scalar::String(text) => Value::from(text.as_ref()),
        }),
        Yaml::Sequence(nodes) => nodes.iter().map(plain).collect(),
        Yaml::Mapping(entries) => {
            let entry = |(key, value): (&Yaml<'_>, &Yaml<'_>)| {
                let key = key.as_str().ok_or_else(|| TemplateError(format!("{key:?} is no name")))?;
                Ok((key.to_owned(), plain(value)?))
            };
            entries.iter().map(entry).collect::<Result<_, _>>().map(Value::Object)
        }
        Yaml::Tagged(tag, argument) => function(&tag.suffix, plain(argument)?),
        other => Err(TemplateError(format!("{other:?} cannot be read"))),
    }
}

/// A short form's long one.
fn function(name: &str, argument: Value) -> Result<Value, TemplateError> {
    match (name, argument) {
        ("Ref" | "Condition", argument) => Ok(json!({ name: argument })),
        ("GetAtt", Value::String(path)) => Ok(json!({ "Fn::GetAtt": path.splitn(2, '.').collect::<Vec<_>>() })),
        ("Sub" | "If" | "Not" | "Equals" | "Select" | "Split" | "Join" | "And" | "Or", argument) => {
            Ok(json!({ format!("Fn::{name}"): argument }))
        }
        (other, _) => Err(TemplateError(format!("!{other} is not known to this reader"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A template of one function, with this statement in its role.
    fn with_statement(statement: &str) -> String {
        format!(
            "Parameters: {{}}
Globals: {{Function: {{Environment: {{Variables: {{A: !Ref T, B: !If [c, !Ref P, x], C: !Sub 'x/${{y}}'}}}}}}}}
Resources:
  LoginPhone:
    Type: AWS::Serverless::Function
    Metadata: {{BuildProperties: {{Binary: login-phone}}}}
    Properties:
      Role: !GetAtt R.Arn
      MemorySize: 256
      Timeout: 29
      LoggingConfig: {{LogGroup: !Ref L}}
      Events:
        A: {{Type: HttpApi, Properties: {{Method: GET, Path: /a}}}}
        B: {{Type: HttpApi}}
  R: {{Type: AWS::IAM::Role, Properties: {{Policies: [{{PolicyDocument: {{Statement: [{statement}]}}}}]}}}}
"
        )
    }

    #[test]
    fn a_function_is_read_with_its_environment_and_permissions() {
        let text = with_statement("{Effect: Allow, Action: ['a:B', 'a:C'], Resource: [!GetAtt T.Arn, !Ref S]}");
        let template = Template::parse(&text).unwrap();
        let set = |items: &[&str]| items.iter().map(|item| (*item).to_owned()).collect::<BTreeSet<_>>();
        let function = &template.functions["login-phone"];
        assert_eq!((function.logical.as_str(), function.role.as_str()), ("LoginPhone", "R"));
        assert_eq!(function.routes, set(&["GET /a", "$default"]));
        let expected = [("a:B", "S"), ("a:B", "T"), ("a:C", "S"), ("a:C", "T")];
        assert_eq!(function.permissions, expected.map(|(a, r)| (a.to_owned(), r.to_owned())).into());
        let expected = [("A", "T"), ("B", "P"), ("C", "x/${y}")];
        assert_eq!(template.environment, expected.map(|(a, r)| (a.to_owned(), r.to_owned())).into());
    }

    #[test]
    fn an_action_that_takes_no_resource_is_on_any() {
        let text = with_statement("{Effect: Allow, Action: 'secretsmanager:BatchGetSecretValue', Resource: '*'}");
        let permissions = &Template::parse(&text).unwrap().functions["login-phone"].permissions;
        let batch = ("secretsmanager:BatchGetSecretValue".to_owned(), ANY.to_owned());
        assert!(permissions.contains(&batch), "{permissions:?}");
    }

    #[test]
    fn what_is_not_exact_is_refused() {
        for statement in [
            "{Effect: Allow, Action: 'a:*', Resource: !Ref T}",
            "{Effect: Allow, Action: 'a:B', Resource: '*'}",
            "{Effect: Allow, Action: ['secretsmanager:BatchGetSecretValue', 'a:B'], Resource: '*'}",
            "{Effect: Allow, Action: 'secretsmanager:GetSecretValue', Resource: '*'}",
            "{Effect: Allow, Action: 'a:B', Resource: !Sub '${T.Arn}/*'}",
            "{Effect: Allow, NotAction: 'a:B', Resource: !Ref T}",
            "{Effect: Deny, Action: 'a:B', Resource: !Ref T}",
        ] {
            assert!(Template::parse(&with_statement(statement)).is_err(), "{statement}");
        }
    }

    #[test]
    fn an_unknown_tag_is_refused() {
        assert!(Template::parse("A: !ImportValue x").is_err());
    }
}
