//! Reads `template.yaml`, for the IAM check and for the tests that compare the template with the code.
//!
//! CloudFormation's short forms become the long ones (`!Ref X` is `{"Ref": "X"}`), so the template is one tree of JSON.

use std::collections::{BTreeMap, BTreeSet};

use saphyr::{LoadableYamlNode as _, Scalar, Yaml};
use serde_json::{Map, Number, Value, json};

use crate::StackError;

/// The template of this repository.
#[derive(Debug, Clone)]
pub struct Template {
    /// The functions by the name of their folder.
    pub functions: BTreeMap<String, Function>,
    /// The environment that all functions share. A variable's value is the logical ID that it refers to, or its text.
    pub environment: BTreeMap<String, String>,
    /// The whole template.
    pub document: Value,
}

/// A function of the template.
#[derive(Debug, Clone)]
pub struct Function {
    /// Its logical ID.
    pub logical_id: String,
    /// The binary that `sam build` builds for it.
    pub binary: String,
    /// Its routes at the gateway, like `POST /api/users/register` or `$default`.
    pub routes: BTreeSet<String>,
    /// What its role allows: an action, like `dynamodb:GetItem`, and the logical ID of the resource.
    pub permissions: BTreeSet<(String, String)>,
    /// Its timeout in seconds.
    pub timeout: u64,
    /// Its memory in megabytes.
    pub memory: u64,
}

impl Template {
    /// Reads the template.
    ///
    /// # Errors
    /// [`StackError`] if it is not YAML or a role is not exact.
    pub fn read() -> Result<Self, StackError> {
        let documents = Yaml::load_from_str(include_str!("../../template.yaml"));
        let documents = documents.map_err(StackError::new("template.yaml is not YAML"))?;
        let document = to_json(documents.first().ok_or_else(|| StackError::plain("template.yaml is empty"))?)?;
        let mut functions = BTreeMap::new();
        for (logical_id, resource) in document["Resources"].as_object().into_iter().flatten() {
            if resource["Type"] == "AWS::Serverless::Function" {
                let properties = &resource["Properties"];
                let role = reference(&properties["Role"]).unwrap_or_default();
                let function = Function {
                    logical_id: logical_id.clone(),
                    binary: text(&resource["Metadata"]["BuildProperties"]["Binary"]).unwrap_or_default(),
                    routes: [routes(&properties["Events"]), plain_routes(&document, logical_id)]
                        .concat()
                        .into_iter()
                        .collect(),
                    permissions: permissions(&role, &document["Resources"][&role])?,
                    timeout: properties["Timeout"].as_u64().unwrap_or_default(),
                    memory: properties["MemorySize"].as_u64().unwrap_or_default(),
                };
                functions.insert(kebab(logical_id), function);
            }
        }
        let environment = document["Globals"]["Function"]["Environment"]["Variables"].as_object().into_iter().flatten();
        let environment = environment.map(|(name, value)| {
            (name.clone(), reference(value).or_else(|| text(value)).unwrap_or_else(|| value.to_string()))
        });
        Ok(Self { functions, environment: environment.collect(), document })
    }

    /// The resources of a type, like `AWS::DynamoDB::Table`: logical ID and properties.
    pub fn of_type<'a>(&'a self, kind: &'a str) -> impl Iterator<Item = (&'a str, &'a Value)> {
        let resources = self.document["Resources"].as_object().into_iter().flatten();
        let of_kind = resources.filter(move |(_, resource)| resource["Type"] == kind);
        of_kind.map(|(logical_id, resource)| (logical_id.as_str(), &resource["Properties"]))
    }
}

/// The routes of a function at the gateway. SAM would create a second gateway for an event without `ApiId`, so such an event is not a route.
fn routes(events: &Value) -> Vec<String> {
    let events = events.as_object().into_iter().flatten().map(|(_, event)| &event["Properties"]);
    let events = events.filter(|event| event["ApiId"] == json!({ "Ref": "Api" }));
    let route = |event: &Value| match (&event["Method"], &event["Path"]) {
        (Value::String(method), Value::String(path)) => format!("{method} {path}"),
        _ => "$default".to_owned(),
    };
    events.map(route).collect()
}

/// The routes of a function at a gateway that is made without SAM.
fn plain_routes(document: &Value, function: &str) -> Vec<String> {
    let resources = &document["Resources"];
    let leads_here = |route: &&Value| {
        let target = route["Properties"]["Target"]["Fn::Sub"].as_str().unwrap_or_default();
        let integration = target.trim_start_matches("integrations/${").trim_end_matches('}');
        reference(&resources[integration]["Properties"]["IntegrationUri"]).as_deref() == Some(function)
    };
    let all = resources.as_object().into_iter().flatten().map(|(_, resource)| resource);
    let routes = all.filter(|resource| resource["Type"] == "AWS::ApiGatewayV2::Route").filter(leads_here);
    routes.filter_map(|route| text(&route["Properties"]["RouteKey"])).collect()
}

/// The resource of an action that takes none.
pub const ANY: &str = "*";
/// The actions that take no resource (Service Authorization Reference). This one also needs a permission for each secret.
const WITHOUT_RESOURCE: [&str; 1] = ["secretsmanager:BatchGetSecretValue"];

/// What a role allows. Refuses what this reader cannot judge exactly: managed policies, denials, wildcards, resources of other stacks.
fn permissions(role: &str, resource: &Value) -> Result<BTreeSet<(String, String)>, StackError> {
    let properties = &resource["Properties"];
    let inexact = |statement: &Value| StackError::plain(format!("template.yaml: {role} is not exact: {statement}"));
    if properties["Policies"].is_null() || !properties["ManagedPolicyArns"].is_null() {
        return Err(inexact(properties));
    }
    let mut permissions = BTreeSet::new();
    let policies = list(&properties["Policies"]).iter();
    for statement in policies.flat_map(|policy| list(&policy["PolicyDocument"]["Statement"])) {
        if statement["Effect"] != "Allow" || !statement["NotAction"].is_null() || !statement["NotResource"].is_null() {
            return Err(inexact(statement));
        }
        for action in list(&statement["Action"]) {
            let action = text(action).filter(|action| !action.contains('*')).ok_or_else(|| inexact(statement))?;
            for on in list(&statement["Resource"]) {
                let any = || (on == ANY && WITHOUT_RESOURCE.contains(&action.as_str())).then(|| ANY.to_owned());
                let on = reference(on).or_else(any).ok_or_else(|| inexact(statement))?;
                permissions.insert((action.clone(), on));
            }
        }
    }
    Ok(permissions)
}

/// A list's elements, or the one value that stands in place of a list.
fn list(value: &Value) -> &[Value] {
    match value {
        Value::Null => &[],
        Value::Array(values) => values,
        one => std::slice::from_ref(one),
    }
}

/// The logical ID that a value refers to by `Ref` or `Fn::GetAtt`, directly or in the first branch of an `Fn::If`.
pub fn reference(value: &Value) -> Option<String> {
    let (name, argument) = value.as_object().filter(|object| object.len() == 1)?.iter().next()?;
    match name.as_str() {
        "Ref" => text(argument),
        "Fn::GetAtt" => text(&argument[0]),
        "Fn::If" => reference(&argument[1]),
        _ => None,
    }
}

/// A string, or that of an `Fn::Sub`.
fn text(value: &Value) -> Option<String> {
    value.as_str().or_else(|| value["Fn::Sub"].as_str()).map(str::to_owned)
}

/// `LoginPhone` to `login-phone`.
fn kebab(logical_id: &str) -> String {
    let mut name = String::new();
    for letter in logical_id.chars() {
        if letter.is_ascii_uppercase() && !name.is_empty() {
            name.push('-');
        }
        name.push(letter.to_ascii_lowercase());
    }
    name
}

/// YAML to JSON, with CloudFormation's tags in their long form.
fn to_json(node: &Yaml<'_>) -> Result<Value, StackError> {
    let unknown = |what: String| StackError::plain(format!("template.yaml: {what} is unknown to this reader"));
    Ok(match node {
        Yaml::Value(Scalar::Null) => Value::Null,
        Yaml::Value(Scalar::Boolean(value)) => Value::Bool(*value),
        Yaml::Value(Scalar::Integer(value)) => Value::from(*value),
        Yaml::Value(Scalar::FloatingPoint(value)) => Number::from_f64(value.0).map_or(Value::Null, Value::Number),
        Yaml::Value(Scalar::String(text)) => Value::from(text.as_ref()),
        Yaml::Sequence(nodes) => nodes.iter().map(to_json).collect::<Result<_, _>>()?,
        Yaml::Mapping(entries) => {
            let mut object = Map::new();
            for (key, value) in entries {
                let key = key.as_str().ok_or_else(|| unknown(format!("the key {key:?}")))?;
                object.insert(key.to_owned(), to_json(value)?);
            }
            Value::Object(object)
        }
        Yaml::Tagged(tag, argument) => match (tag.suffix.as_str(), to_json(argument)?) {
            (name @ ("Ref" | "Condition"), argument) => json!({ name: argument }),
            ("GetAtt", Value::String(path)) => json!({ "Fn::GetAtt": path.splitn(2, '.').collect::<Vec<_>>() }),
            (name, argument) => json!({ format!("Fn::{name}"): argument }),
        },
        other => return Err(unknown(format!("{other:?}"))),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_role_of_exact_statements_is_read() {
        let (table, batch) = (json!({"Fn::GetAtt": ["T", "Arn"]}), "secretsmanager:BatchGetSecretValue");
        let read = |effect: &str, action: Value, resource: Value| {
            let statement = json!({"Effect": effect, "Action": action, "Resource": resource});
            permissions("R", &json!({"Properties": {"Policies": [{"PolicyDocument": {"Statement": [statement]}}]}}))
        };
        let pairs = |pairs: &[(&str, &str)]| pairs.iter().map(|(a, on)| ((*a).to_owned(), (*on).to_owned())).collect();
        let two = read("Allow", json!(["a:B", "a:C"]), json!([table, {"Ref": "S"}])).unwrap();
        assert_eq!(two, pairs(&[("a:B", "S"), ("a:B", "T"), ("a:C", "S"), ("a:C", "T")]));
        assert_eq!(read("Allow", json!(batch), json!("*")).unwrap(), pairs(&[(batch, ANY)]));
        assert!(read("Allow", json!("a:*"), table.clone()).is_err());
        assert!(read("Allow", json!([batch, "a:B"]), json!("*")).is_err());
        assert!(read("Allow", json!("a:B"), json!({"Fn::Sub": "${T.Arn}/*"})).is_err());
        assert!(read("Deny", json!("a:B"), table).is_err());
    }
}
