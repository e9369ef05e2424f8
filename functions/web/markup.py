"""Documents made of elements rather than of strings: whatever is put in is escaped, always."""

import xml.etree.ElementTree as ET  # builds and writes only; nothing is ever parsed with it
from collections.abc import Iterable
from xml.etree.ElementTree import Element

Content = str | Element | None | Iterable["Content"]


def element(tag: str, *content: Content, **attributes: str | int | float | bool | None) -> Element:
    """An element such as `element("a", "home", href="/", class_="x")`.

    A trailing underscore is dropped and others become hyphens; True gives an attribute without a value, False
    and None give none.
    """
    made = Element(tag)
    for name, value in attributes.items():
        if value is not None and value is not False:
            key = name.rstrip("_").replace("_", "-")
            made.set(key, "" if value is True else str(value))
    _append(made, content)
    return made


def document(root: Element) -> str:
    """The whole HTML page."""
    return "<!doctype html>\n" + ET.tostring(root, encoding="unicode", method="html")


def _append(parent: Element, content: Content) -> None:
    if content is None:
        return
    if isinstance(content, str):
        _append_text(parent, content)
    elif isinstance(content, Element):
        parent.append(content)
    else:
        for part in content:
            _append(parent, part)


def _append_text(parent: Element, text: str) -> None:
    if len(parent):
        parent[-1].tail = (parent[-1].tail or "") + text
    else:
        parent.text = (parent.text or "") + text
