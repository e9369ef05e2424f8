"""Serves a model for one batch transform: ``("-m", "local.sagemaker.engines.serving", "<server>", "<root>",
"<requests>", "<responses>", "<content type>", "<accept>", "isolated" or "connected")``; the two types may be
empty.

``<root>`` takes the place of /opt/ml; the model archive is unpacked in ``<root>/model``. The server starts as
in its image (``server``), which gives a WSGI application. It gets the requests that SageMaker sends to a
container: ``GET /ping``, then one ``POST /invocations`` for each file of the folder ``<requests>``, in the
order of their names. The body of each answer is written, completely or not at all, to the file of the same
name in ``<responses>`` (created if it is missing).

The exit code is 0, or 1 after the first unsuccessful answer. In that case, ``<responses>/refused.json`` has
the request's name, the status and the beginning of the body, or three nulls if the server did not start or
its ping was not 200. The responses written before remain.
"""
