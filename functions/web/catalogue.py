"""The catalogue's page and its data, for whoever has a link.

/catalogue/<id>/                                       the page
/catalogue/<id>/worker.js                              its service worker
/catalogue/<id>/models.json                            approved models: ?workload=NAME&next=TOKEN
/catalogue/<id>/models/<workload>/<version>.json       one of them, with its evaluation
/catalogue/<id>/models/<workload>/<version>/<format>   a link to its file: onnx or native
/assets/<name>                                         the page's other files, which are no secret
"""

import re
from dataclasses import replace

from catalogue import links
from catalogue.downloads import bucket_origin, link_to
from catalogue.models import list_models, show_model
from shared.refusals import Refused
from shared.telemetry import describe_error, logger
from web import pages, site
from web.http import Request, Response, json_response

_ASSET = "/assets/"
_PATH = re.compile(r"/catalogue/(?P<id>[A-Za-z0-9_-]{43})(?P<rest>|/.*)", re.DOTALL)
_MODEL = re.compile(
    r"/models/(?P<workload>[a-z][a-z0-9_]{0,30})/(?P<version>[1-9][0-9]{0,8})(?:(?P<entry>\.json)|/(?P<of>[a-z]{1,10}))"
)
# What scripts ask for; everything else is for people.
_NO_PAGE = re.compile(r"/assets/|/catalogue/[^/]*/.")
# The address is a secret, which no other site may receive.
_PRIVATE = {"Referrer-Policy": "no-referrer"}
_ASSET_HEADERS = {"Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'"}


def respond(request: Request) -> Response:
    """The answer to any request. After an error, it says so without internals."""
    try:
        response = _route(request)
    except Refused as refused:
        response = _refusal(request, refused)
    except Exception as error:  # the log has the error
        logger.error("could not answer", **describe_error(error))
        response = _refusal(request, Refused(503, "Something did not answer. Try again in a minute."))
    return response.without_body() if request.method == "HEAD" else response


def _route(request: Request) -> Response:
    if request.method not in ("GET", "HEAD"):
        raise Refused(405, "This page can be read, and nothing else.")
    if request.path.startswith(_ASSET):
        return site.serve(request, request.path.removeprefix(_ASSET), _ASSET_HEADERS)
    match = _PATH.fullmatch(request.path)
    if not match:
        raise Refused(404, "There is nothing here. Open the link to the catalogue whole, as it was sent.")
    if not match["rest"]:
        # Addresses in the page are relative to its folder.
        return Response(308, headers={**_PRIVATE, "Location": f"{request.path}/"})
    ends = links.check(match["id"])
    return _within(request, match["rest"], ends)


def _within(request: Request, rest: str, ends: str) -> Response:
    """The answer to a request through a valid link."""
    if rest == "/":
        return site.serve(request, "index.html", {**_PRIVATE, **_policy()})
    if rest == "/worker.js":
        return site.serve(request, "worker.js", {**_PRIVATE, **_policy()})
    if rest == "/models.json":
        content = list_models(request.query.get("workload"), request.query.get("next"))
        return _data({**content, "expires_at": ends})
    if match := _MODEL.fullmatch(rest):
        workload, version = match["workload"], int(match["version"])
        if match["entry"]:
            return _data(show_model(workload, version))
        return _data(link_to(workload, version, match["of"]))
    raise Refused(404, "There is nothing here.")


def _data(content: object) -> Response:
    return json_response(200, content, Referrer_Policy="no-referrer")


def _policy() -> dict[str, str]:
    """Only this origin's own scripts run, and only they load a model from the bucket."""
    policy = (
        "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; style-src 'self'; "
        f"img-src 'self' data: blob:; connect-src 'self' {bucket_origin()}; manifest-src 'self'; "
        "worker-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )
    return {"Content-Security-Policy": policy}


def _refusal(request: Request, refused: Refused) -> Response:
    """A page for a person, or JSON where the page asks for data."""
    headers = dict(_PRIVATE)
    if refused.status == 405:
        headers["Allow"] = "GET, HEAD"
    if refused.retry_after:
        headers["Retry-After"] = str(refused.retry_after)
    if _NO_PAGE.match(request.path):
        response = json_response(refused.status, {"error": str(refused)})
        return replace(response, headers={**response.headers, **headers})
    page = pages.message_page(_TITLES.get(refused.status, "That did not work"), str(refused))
    return Response(refused.status, page, headers)


_TITLES = {404: "Nothing here", 410: "This link is closed", 429: "Too many requests"}
