"""Every call that a run makes, from the upload to the mail about its end.

`test_calls.py` records a run and fails when it made a call that is not here, or did not make one that is.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Call:
    """An operation, and the part of its request that distinguishes it."""

    operation: str
    containing: str = ""

    def __str__(self) -> str:
        return f"{self.operation} {self.containing}".strip()

    def matches(self, request: str) -> bool:
        operation, _, text = request.partition(" ")
        return operation == self.operation and self.containing in text

    @property
    def throttled(self) -> str:
        """The service's throttling error."""
        return {
            "s3": "SlowDown",
            "sns": "Throttling",
            "lambda": "TooManyRequestsException",
            "dynamodb": "ProvisionedThroughputExceededException",
        }.get(self.operation.partition(":")[0], "ThrottlingException")

    @property
    def broken(self) -> str:
        """The service's internal error."""
        return {
            "s3": "InternalError",
            "lambda": "ServiceException",
            "dynamodb": "InternalServerError",
        }.get(self.operation.partition(":")[0], "InternalFailure")


# The state machine's tasks: the state, and the call it makes.
TASKS = {
    "Claim upload": Call("dynamodb:PutItem", "upload#"),
    "Count run": Call("dynamodb:UpdateItem", "day#"),
    "Check upload": Call("lambda:Invoke", "CheckUpload"),
    "Load workload": Call("s3:GetObject", "/auto_mpg/workload.json"),
    "Preprocess": Call("sagemaker:CreateProcessingJob", "-preprocess-"),
    "Read prepared digest": Call("sagemaker:DescribeProcessingJob", "-preprocess-"),
    "Tune": Call("sagemaker:CreateHyperParameterTuningJob"),
    "Find best model": Call("sagemaker:DescribeTrainingJob"),
    "Find champion": Call("sagemaker:ListModelPackages"),
    "Read champion": Call("sagemaker:DescribeModelPackage"),
    "Find champion model": Call("s3:ListObjectsV2", "&max-keys=1"),
    "Evaluate": Call("sagemaker:CreateProcessingJob", "-evaluate-"),
    "Read evaluation digest": Call("sagemaker:DescribeProcessingJob", "-evaluate-"),
    "Keep model": Call("lambda:Invoke", "KeepModel"),
    "Create model": Call("sagemaker:CreateModel"),
    "Batch transform": Call("sagemaker:CreateTransformJob"),
    "Register model": Call("sagemaker:CreateModelPackage"),
    "Ask for approval": Call("lambda:Invoke", "RequestApproval"),
}
# The calls of the functions for which a state waits.
WAITED_FOR = {
    Call("s3:GetObject", "/incoming/"): "Check upload",
    Call("s3:CopyObject", "/input/upload.csv"): "Check upload",
    # "Ask for approval" makes the same call.
    Call("states:GetExecutionHistory"): "Keep model",
    Call("s3:GetObject", "/evaluation/evaluation.json"): "Keep model",
    Call("s3:PutObject", "/models/"): "Keep model",
    Call("s3:CopyObject", "/evaluation/model.tar.gz"): "Keep model",
    Call("s3:CopyObject", "/evaluation/model.onnx"): "Keep model",
    Call("s3:CopyObject", "/evaluation/baseline/"): "Keep model",
    Call("sns:ListSubscriptionsByTopic", "ApprovalTopic"): "Ask for approval",
    # "Keep model" makes the same call, so it must have succeeded before this is tried.
    Call("s3:GetObject", "/evaluation.json"): "Ask for approval",
    Call("dynamodb:PutItem", "link#"): "Ask for approval",
    Call("dynamodb:UpdateItem", "package#"): "Ask for approval",
    Call("dynamodb:GetItem", "package#"): "Ask for approval",
    Call("sns:Publish", "ApprovalTopic"): "Ask for approval",
}
# A run goes on without these.
REUSE = [Call("lambda:Invoke", "FindResult"), Call("lambda:Invoke", "RememberResults")]
NOTES = [Call("dynamodb:UpdateItem", "accepted#")]
# What a run cost: the request for approval and the mails do without it.
COSTS = [
    Call("dynamodb:GetItem", "cost#"),
    Call("dynamodb:PutItem", "cost#"),
    Call("sagemaker:ListProcessingJobs"),
    Call("sagemaker:ListHyperParameterTuningJobs"),
    Call("sagemaker:DescribeHyperParameterTuningJob"),
    Call("sagemaker:ListTrainingJobsForHyperParameterTuningJob"),
    Call("sagemaker:ListTransformJobs"),
    Call("sagemaker:DescribeTransformJob"),
]
LAMBDAS = [
    *WAITED_FOR,
    *COSTS,
    Call("s3:HeadObject", "/model.tar.gz"),
    Call("states:DescribeExecution"),
    Call("sns:Publish", "NotificationTopic"),
    Call("dynamodb:PutItem", "told#"),
    Call("dynamodb:GetItem", "link#"),
    Call("dynamodb:UpdateItem", "told#"),
    Call("sagemaker:UpdateModelPackage"),
    Call("s3:GetObject", "/predictions/"),
    Call("states:SendTaskSuccess"),
    Call("s3:PutObject", "/report/report.html"),
]
JOBS = [
    Call("s3:ListObjectsV2", "prefix=code/"),
    Call("s3:ListObjectsV2", "prefix=runs/"),
    Call("s3:ListObjectsV2", "/model.tar.gz&encoding-type"),
    Call("s3:GetObject", "/code.zip"),
    Call("s3:GetObject", ".whl"),
    Call("s3:PutObject", "/evaluation/model.onnx"),
    Call("s3:PutObject", "/evaluation/baseline/"),
    Call("s3:GetObject", "/input/upload.csv"),
    Call("s3:GetObject", "/prepared/"),
    Call("s3:GetObject", "/tuning/"),
    Call("s3:GetObject", "/model.tar.gz"),
    Call("s3:PutObject", "/prepared/"),
    Call("s3:PutObject", "/tuning/"),
    Call("s3:PutObject", "/model.tar.gz"),
    Call("s3:PutObject", "/evaluation.json"),
    Call("s3:PutObject", "/predictions/"),
    Call("logs:CreateLogStream"),
    Call("logs:PutLogEvents"),
    Call("s3:HeadObject", "/prepared/"),
]
CALLS = [*TASKS.values(), *REUSE, *NOTES, *LAMBDAS, *JOBS]
