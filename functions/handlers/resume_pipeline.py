"""Resume the execution that waits for a model package, when SageMaker's event says that it was decided.

The event only names the package, since every caller of this function can forge one. The package's own status
decides. If a package is still pending although its event says otherwise, it is read again for some seconds;
then the function fails (`DecisionNotVisible`), so that Lambda delivers the event again a minute later. If
that fails as well, the event reaches the dead-letter queue, and the scheduled sweep finds the decision.

Late and duplicate events, and those of other packages or changes, have no effect. A decision after the run's
end is recorded, and a mail says that the run does not go on. Another mail is sent when a decided package is
changed later.
"""

from approval.outcomes import resume
from approval.packages import verdict_of
from approval.resuming import Settled
from shared.aws import prepare
from shared.polling import poll
from shared.telemetry import Answer, Event, PublicError, logger, observed

prepare("stepfunctions", "sagemaker")


class DecisionNotVisible(PublicError):
    """An event says that a package was decided, but SageMaker says that it was not."""


@observed
def handler(event: Event) -> Answer:
    arn = str(event["detail"]["ModelPackageArn"])
    says_decided = verdict_of(str(event["detail"].get("ModelApprovalStatus", ""))) is not None
    settled = poll(lambda: _settled(arn)) if says_decided else "no decision"
    logger.info("model package changed", model_package_arn=arn, settled=settled or "pending")
    if settled is None:
        raise DecisionNotVisible(arn)
    return {"settled": settled}


def _settled(package_arn: str) -> Settled | None:
    settled = resume(package_arn)
    return None if settled == "pending" else settled
