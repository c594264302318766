"""CloudFormation: the stack stands, and answers what our code asks it for: its outputs."""

from __future__ import annotations

from urllib.parse import parse_qs

from tests.rig.wire import Reply, Request
from tests.rig.world import ACCOUNT, DISTRIBUTION, QUEUE, REGION, TOPIC, World, stamp

NS = "http://cloudformation.amazonaws.com/doc/2010-05-15/"
XML = {"Content-Type": "text/xml"}


class CloudFormation:
    name = "cloudformation"

    def __init__(self, world: World) -> None:
        self.world = world

    def named(self, request: Request) -> tuple[str, str]:
        asked = parse_qs(request.body.decode())
        return asked.get("Action", [""])[0], asked.get("StackName", [""])[0]

    def fault(self, action: str) -> Reply:
        status = {"throttle": 400, "busy": 400}.get(action) or int(action)
        return _failed(status, "Throttling" if status == 400 else "InternalFailure")

    def act(self, request: Request, op: str, key: str) -> Reply:
        with self.world.lock:
            known = op == "DescribeStacks"
            self.world.note(request, self.name, op, key, "read" if known else "refused")
        return Reply(200, self._stack(request, key), XML) if known else _failed(400, "ValidationError")

    def _stack(self, request: Request, name: str) -> bytes:
        outputs = {
            "GuestDistributionId": DISTRIBUTION,
            "GuestDistributionDomain": request.headers.get("host", ""),
            "MailQueueUrl": f"http://{request.headers.get('host', '')}/{ACCOUNT}/{QUEUE}",
            "MailTopicArn": TOPIC,
        }
        members = "".join(
            f"<member><OutputKey>{key}</OutputKey><OutputValue>{value}</OutputValue></member>"
            for key, value in outputs.items()
        )
        stack = (
            f"<StackName>{name}</StackName><StackId>arn:aws:cloudformation:{REGION}:{ACCOUNT}:stack/{name}/rig</StackId>"
            f"<StackStatus>CREATE_COMPLETE</StackStatus><CreationTime>{stamp()}</CreationTime><Outputs>{members}</Outputs>"
        )
        result = f"<DescribeStacksResult><Stacks><member>{stack}</member></Stacks></DescribeStacksResult>"
        return f'<DescribeStacksResponse xmlns="{NS}">{result}</DescribeStacksResponse>'.encode()


def _failed(status: int, code: str) -> Reply:
    error = f"<Error><Type>Sender</Type><Code>{code}</Code><Message>ordered</Message></Error>"
    return Reply(status, f'<ErrorResponse xmlns="{NS}">{error}</ErrorResponse>'.encode(), XML)
