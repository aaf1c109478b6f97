"""The order of the stages, where no value that one hands to another makes it."""

from __future__ import annotations

import pulumi


def after(*resources: pulumi.Input[pulumi.Resource]) -> pulumi.ResourceOptions:
    """Options of a stage that needs these to be done."""
    return pulumi.ResourceOptions(depends_on=list(resources))
