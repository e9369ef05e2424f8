"""SageMaker's event "a model package changed": if it was decided, the execution that waits for it goes on.

The event only says which package to look at; whoever may invoke this function can make one up. What counts
is the package's own status. A package that is still pending though its event says otherwise is read again for
some seconds, then the event fails (`DecisionNotVisible`), so that Lambda delivers it again a minute later.
Should that be in vain, too, it is in the dead-letter queue, and the scheduled sweep finds the decision.

Events of other packages, of other changes, late ones and duplicates do nothing. A decision that comes after
the run's end is recorded all the same, and a mail says that the run does not go on; another one goes out when
somebody changes a decided package later.
"""

from approval.outcomes import resume
from approval.packages import verdict_of
from approval.resuming import Settled
from shared.aws import prepare
from shared.polling import poll
from shared.telemetry import Answer, Event, PublicError, logger, observed

prepare("stepfunctions", "sagemaker")


class DecisionNotVisible(PublicError):
    """An event says that a package was decided, and SageMaker that it was not."""


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
