import argparse
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from jada.aws import stack
from jada.failures import DeliveryFailure


class Command(BaseCommand):
    help = (
        "Creates or updates the CloudFormation stack of infra/template.yaml and its files; does nothing if it stands."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--parameter",
            metavar="NAME=VALUE",
            type=_parameter,
            action="append",
            default=[],
            help="a parameter of the template, e.g. CertificateArn=arn:...; one not named keeps its value",
        )

        parser.add_argument(
            "--revert-drift",
            action="store_true",
            help="look at what stands, too, and take back what was changed by hand since",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            deployed = stack.deploy(dict(options["parameter"]), revert_drift=options["revert_drift"])
        except DeliveryFailure as failure:
            raise CommandError(failure.reason) from failure
        self.stdout.write("The stack is deployed." if deployed.changed else "The stack stands as it should.")
        for name, value in sorted(deployed.outputs.items()):
            self.stdout.write(f"  {name:<24} {value}")


def _parameter(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not name or not equals:
        raise argparse.ArgumentTypeError(f"{text!r} is not a parameter: write NAME=VALUE.")
    return name, value
