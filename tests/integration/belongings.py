"""What belongs to a stack, also after it was deleted."""

from tests.conftest import Aws

IMAGE = "683313688378.dkr.ecr.us-east-1.amazonaws.com/sagemaker-xgboost:3.2-0"


def groups(aws: Aws) -> list[str]:
    listed = aws.client("sagemaker").list_model_package_groups()["ModelPackageGroupSummaryList"]
    return [group["ModelPackageGroupName"] for group in listed]


def register(aws: Aws, group: str) -> str:
    """Register a model package; returns its ARN."""
    made = aws.client("sagemaker").create_model_package(
        ModelPackageGroupName=group,
        InferenceSpecification={
            "Containers": [{"Image": IMAGE}],
            "SupportedContentTypes": ["text/csv"],
            "SupportedResponseMIMETypes": ["text/csv"],
        },
    )
    return str(made["ModelPackageArn"])


def remains(aws: Aws, name: str) -> list[str]:
    """The remaining resources of a stack."""
    buckets = [bucket["Name"] for bucket in aws.client("s3").list_buckets()["Buckets"]]
    tables = aws.client("dynamodb").list_tables()["TableNames"]
    machines = [m["name"] for m in aws.client("stepfunctions").list_state_machines()["stateMachines"]]
    functions = [f["FunctionName"] for f in aws.client("lambda").list_functions()["Functions"]]
    topics = [topic["TopicArn"] for topic in aws.client("sns").list_topics()["Topics"]]
    everything = [*buckets, *tables, *machines, *functions, *topics, *groups(aws)]
    return [thing for thing in everything if name in thing]
