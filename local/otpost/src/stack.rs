//! A deployed stack, as CloudFormation describes it: names of tables and secrets are its outputs, settings its parameters.

use std::collections::BTreeMap;
use std::error::Error;

use aws_sdk_cloudformation::types::Stack;
use aws_types::SdkConfig;
use shared::aws::AwsError;

/// The outputs and parameters of a stack.
#[derive(Debug, Clone)]
pub struct DeployedStack {
    /// By their names without underscores, in capitals.
    values: BTreeMap<String, String>,
}

impl DeployedStack {
    /// Asks CloudFormation for the stack of this name.
    ///
    /// # Errors
    /// When there is none, or it must not be read.
    pub async fn find(config: &SdkConfig, name: &str) -> Result<Self, Box<dyn Error>> {
        let client = aws_sdk_cloudformation::Client::new(config);
        let found = client.describe_stacks().stack_name(name).send().await.map_err(AwsError::from)?;
        let stack = found.stacks().first().ok_or_else(|| format!("there is no stack {name}"))?;
        Ok(Self::of(stack))
    }

    /// What is known of this stack.
    pub fn of(stack: &Stack) -> Self {
        let parameters = stack.parameters().iter().map(|one| (one.parameter_key(), one.parameter_value()));
        let outputs = stack.outputs().iter().map(|one| (one.output_key(), one.output_value()));
        let named = parameters.chain(outputs).filter_map(|(name, value)| Some((plain(name?), value?.to_owned())));
        Self { values: named.collect() }
    }

    /// The value of a setting, like `USERS_TABLE` or `CODE_LENGTH`. `None` if the stack leaves it at its default.
    pub fn setting(&self, name: &str) -> Option<String> {
        self.values.get(&plain(name)).filter(|value| !value.is_empty()).cloned()
    }
}

/// `CodeLength` and `CODE_LENGTH` are the same.
fn plain(name: &str) -> String {
    name.replace('_', "").to_uppercase()
}
