"""The layer that blocks web pages: it surrounds the whole embedded AWS and sees every request first.

Any page that a developer has open can send requests to 127.0.0.1 and, with DNS rebinding, under its own
host name. Such a request is recognised by its Host, Origin or Sec-Fetch-Site, which pages cannot
choose. The emulator's own endpoints, such as the one that resets it, are disabled for everybody.
"""

import hmac
import re
from collections.abc import Mapping
from typing import Any

from local.embedded.asgi import Application, answer_text

_HERE = re.compile(r"(127\.0\.0\.1|([a-z0-9_-]+\.)*localhost)", re.IGNORECASE)
_FUNCTION_URL = re.compile(r"[a-z0-9-]+\.lambda-url\.", re.IGNORECASE)
_PAGE_OF_FUNCTION_URL = r"http://[a-z0-9]{{32}}\.lambda-url\.[a-z0-9-]+\.localhost:{port}"
_EMULATORS = re.compile(r"/(_ministack|_localstack|_aws|_alb)(/|$)|/health$")
# Where a custom resource's function answers CloudFormation. On AWS, too, anyone who knows the address may.
_CUSTOM_RESOURCE = "/_ministack/cfn-response/"


def with_doors(port: int, pages: str, application: Application) -> Application:
    """`application` for programs of this machine, for its own pages, and for links that a person opens.

    The paths under /_mpg/ are open only below `pages`, an address that cannot be guessed.
    """

    async def guarded(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "websocket":
            # Nothing served here speaks it.
            await send({"type": "websocket.close", "code": 1008})
        elif scope["type"] != "http":
            await application(scope, receive, send)
        elif problem := _foreign(scope, port):
            await _refuse(send, 403, problem)
        elif _EMULATORS.match(scope["path"]) and not answers_cloudformation(scope):
            await _refuse(send, 404, "There is no such page.")
        elif not scope["path"].startswith("/_mpg/"):
            await application(scope, receive, send)
        elif not hmac.compare_digest(scope["path"][: len(pages)].encode(), pages.encode()):
            await _refuse(send, 403, "Open the whole address that `mpg up` printed.")
        else:
            await application(scope | {"path": "/_mpg/" + scope["path"][len(pages) :]}, receive, send)

    return guarded


def _foreign(scope: Any, port: int) -> str:
    """Why the request does not come from this machine's programs or pages; empty if it does."""
    hosts = [value.decode("latin-1") for name, value in scope["headers"] if name == b"host"]
    host, _, given = hosts[0].partition(":") if len(hosts) == 1 else ("", "", "")
    if not _HERE.fullmatch(host) or (given or "80") != str(port):
        return f"The embedded AWS does not answer under other names. Use http://127.0.0.1:{port}."
    headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
    way_out = "The embedded AWS does not answer pages of other sites. Open the address that `mpg up` printed."
    if _loads_by_link(scope, headers, port):
        return ""
    if headers.get("origin", f"http://{hosts[0]}") != f"http://{hosts[0]}":
        return f"This request comes from {headers['origin']}. {way_out}"
    site = headers.get("sec-fetch-site", "none")
    if site not in ("none", "same-origin") and not _opens_link(scope, host, headers):
        return f"This request is {site}. {way_out}"
    return ""


def _loads_by_link(scope: Any, headers: Mapping[str, str], port: int) -> bool:
    """Whether the page of a Function URL loads an object by a presigned link.

    The link is the credential. What the page may read of the answer, the bucket's CORS rules say.
    """
    page = re.fullmatch(_PAGE_OF_FUNCTION_URL.format(port=port), headers.get("origin", ""))
    mode = headers.get("sec-fetch-mode", "cors")
    return page is not None and mode == "cors" and scope["method"] in ("GET", "HEAD") and _is_presigned(scope)


def _is_presigned(scope: Any) -> bool:
    return b"X-Amz-Signature=" in scope.get("query_string", b"") and not scope["path"].startswith("/_mpg/")


def _opens_link(scope: Any, host: str, headers: Mapping[str, str]) -> bool:
    """Whether a person follows a link: to the pages, to a Function URL, as in a mail, or to an object."""
    navigates = headers.get("sec-fetch-mode"), headers.get("sec-fetch-dest")
    linked = scope["path"].startswith("/_mpg/") or _FUNCTION_URL.match(host) or _is_presigned(scope)
    return bool(scope["method"] == "GET" and navigates == ("navigate", "document") and linked)


def answers_cloudformation(scope: Mapping[str, Any]) -> bool:
    """Whether this is a custom resource's answer, which is not signed."""
    return scope["method"] == "PUT" and bool(scope["path"].startswith(_CUSTOM_RESOURCE))


async def _refuse(send: Any, status: int, text: str) -> None:
    await answer_text(send, status, "text/plain; charset=utf-8", f"{text}\n")
