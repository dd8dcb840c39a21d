"""Moto's server, patched where it differs from AWS in what `./deploy` needs. After a change set, moto leaves a stack without outputs, and
with its old template and parameters. It also shows the values of NoEcho parameters; AWS shows **** for each, even for an empty one."""

from moto.cloudformation.models import ChangeSet, Stack
from moto.server import main

execute = ChangeSet.apply


def apply(change_set):
    execute(change_set)
    stack = change_set.stack
    stack.template, stack.template_dict, stack.parameters = change_set.template, change_set.template_dict, change_set.parameters
    stack.output_map = stack._create_output_map()


def parameter_list(stack):
    rules = stack.template_dict.get("Parameters", {})
    values = stack.resource_map.resolved_parameters.items()
    return [{"ParameterKey": key, "ParameterValue": "****" if rules[key].get("NoEcho") else value} for key, value in values]


ChangeSet.apply = apply
Stack.parameter_list = property(parameter_list)
main()
