"""How to call an endpoint, ready to paste: with the AWS CLI and with boto3."""

import json
import shlex
from dataclasses import dataclass

from common.evaluation import SmokeTest
from model.live import LiveModel
from shared.text import defang

# A longer row would fill the mail.
_LONGEST_ROW = 300


@dataclass(frozen=True)
class Calls:
    """Lines of a shell and of Python. `sends_file` says that they read a file, because a row is too long."""

    shell: str
    python: str
    sends_file: bool


def how_to_call(live: LiveModel, test: SmokeTest | None, region: str) -> Calls | None:
    """The calls for the first row of the smoke test; None if there is none to show."""
    if test is None:
        return None
    row = (test.request.splitlines() or [""])[0]
    sends_file = not (0 < len(row) <= _LONGEST_ROW and row.isprintable() and defang(row) == row)
    if live.endpoint_type == "function":
        return _function_calls(live, test, region, None if sends_file else row)
    return Calls(
        _shell(live, test, region, row, sends_file), _python(live, test, region, row, sends_file), sends_file
    )


def _function_calls(live: LiveModel, test: SmokeTest, region: str, row: str | None) -> Calls:
    """The calls of a function; None stands for rows that are in a file."""
    request = json.dumps({"content_type": test.content_type, "accept": test.accept})
    invoke = f"aws lambda invoke --region {region} --function-name {live.endpoint_name}"
    if row is None:
        python = f'{request} | {{"body": open("rows").read()}}'
        write = f"import json; print(json.dumps({python}))"
        lines = [
            f"python3 -c {shlex.quote(write)} >request.json",
            f"{invoke} \\\n  --payload fileb://request.json /dev/stdout",
        ]
        return Calls("\n".join(lines), _function_python(live, region, python), sends_file=True)
    python = json.dumps(json.loads(request) | {"body": row})
    options = ["--cli-binary-format raw-in-base64-out", f"--payload {shlex.quote(python)} /dev/stdout"]
    shell = " \\\n  ".join([invoke, *options])
    return Calls(shell, _function_python(live, region, python), sends_file=False)


def _function_python(live: LiveModel, region: str, request: str) -> str:
    return "\n".join(
        [
            "import boto3, json",
            f'client = boto3.client("lambda", region_name="{region}")',
            f"request = {request}",
            "answer = client.invoke(",
            f'    FunctionName="{live.endpoint_name}",',
            "    Payload=json.dumps(request),",
            ")",
            'print(json.load(answer["Payload"])["body"])',
        ]
    )


def _shell(live: LiveModel, test: SmokeTest, region: str, row: str, sends_file: bool) -> str:
    body = "fileb://rows" if sends_file else shlex.quote(row)
    options = [
        f"aws sagemaker-runtime invoke-endpoint --region {region}",
        f"--endpoint-name {live.endpoint_name}",
        f"--content-type {test.content_type} --accept {test.accept}",
        *([] if sends_file else ["--cli-binary-format raw-in-base64-out"]),
        f"--body {body} /dev/stdout",
    ]
    return " \\\n  ".join(options)


def _python(live: LiveModel, test: SmokeTest, region: str, row: str, sends_file: bool) -> str:
    body = 'open("rows", "rb").read()' if sends_file else f"{json.dumps(row)}.encode()"
    return "\n".join(
        [
            "import boto3",
            f'runtime = boto3.client("sagemaker-runtime", region_name="{region}")',
            "answer = runtime.invoke_endpoint(",
            f'    EndpointName="{live.endpoint_name}",',
            f'    ContentType="{test.content_type}",',
            f'    Accept="{test.accept}",',
            f"    Body={body},",
            ")",
            'print(answer["Body"].read().decode())',
        ]
    )
