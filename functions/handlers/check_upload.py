"""Keep the claimed version of an upload for the run, or refuse it before any job starts."""

import os

from costs.estimates import RunTooExpensive
from runs.upload_copies import SECONDS
from runs.uploads import Upload, UploadRefused, check
from shared.aws import prepare
from shared.telemetry import Answer, Event, count, logger, observed

prepare("s3")
prepare("s3", read_timeout=SECONDS)


@observed
def handler(event: Event) -> Answer:
    upload = Upload.from_event(event)
    try:
        answer = check(upload, whole_up_to=int(os.environ["MAX_CHECKED_BYTES"]))
    except UploadRefused:
        logger.info("upload refused", run_id=upload.run_id, key=upload.name, size=upload.size)
        count("UploadRefused")
        raise
    except RunTooExpensive as refused:
        logger.info("run too expensive", run_id=upload.run_id, key=upload.name, reason=str(refused))
        raise
    logger.info("upload accepted", key=upload.name, size=upload.size, **answer)
    count("UploadAccepted")
    return answer
