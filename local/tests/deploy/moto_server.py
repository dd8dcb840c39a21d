"""Moto's server, mended where it differs from AWS in what `./deploy` needs: moto leaves a stack that a change set has made without outputs, and
with its old template and parameters."""

from moto.cloudformation.models import ChangeSet
from moto.server import main

execute = ChangeSet.apply


def apply(change_set):
    execute(change_set)
    stack = change_set.stack
    stack.template, stack.template_dict, stack.parameters = change_set.template, change_set.template_dict, change_set.parameters
    stack.output_map = stack._create_output_map()


ChangeSet.apply = apply
main()
