"""A model served for one batch transform: ``("-m", "local.sagemaker.engines.serving", "<server>", "<root>",
"<requests>", "<responses>", "<content type>", "<accept>", "isolated" or "connected")``; the two types may be
empty.

``<root>`` stands for /opt/ml: the model archive is unpacked in ``<root>/model``. The server is started as its
image starts it (``server``), which ends in a WSGI application. That is asked as SageMaker asks a container:
``GET /ping``, then one ``POST /invocations`` for each file of the folder ``<requests>``, in the order of
their names. The body of each answer is written, whole or not at all, to the file of the same name in
``<responses>`` (made if it is missing).

The process ends with code 0, or with 1 at the first answer that is no success: ``<responses>/refused.json``
then has the request's name, the status and the beginning of the body; all three are null if the server did
not even start or its ping was no 200. The responses written before it stay.
"""
