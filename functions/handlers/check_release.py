"""Before a release: refuse a model whose files differ from those that were evaluated and approved."""

from release.checking import check_files
from shared.aws import prepare
from shared.telemetry import Answer, Event, logger, observed

prepare("s3")


@observed
def handler(event: Event) -> Answer:
    answer = check_files(str(event["run_id"]), str(event["evaluation_digest"]), str(event["endpoint_type"]))
    logger.info("files are those that were evaluated", run_id=event["run_id"], **answer)
    return answer
