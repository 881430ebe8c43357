"""Reading pages as a browser would: what is in them, and what their forms would send."""

from html.parser import HTMLParser
from typing import Any

from django.http import HttpResponse

HTMX = {"HX-Request": "true"}


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str]]] = []
        self.title = ""
        self.in_title = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, {name: value or "" for name, value in attrs}))
        # The first one; pictures have titles, too.
        self.in_title = tag == "title" and not self.title

    def handle_endtag(self, tag: str) -> None:
        self.in_title = self.in_title and tag != "title"

    def handle_data(self, data: str) -> None:
        if self.in_title:
            self.title += data


def text(response: Any) -> str:
    """The page with white space squeezed, so that sentences can be looked for."""
    assert isinstance(response, HttpResponse)
    return " ".join(response.content.decode().split())


def tags(response: Any, name: str) -> list[dict[str, str]]:
    """The attributes of all elements of one name."""
    reader = _Reader()
    reader.feed(response.content.decode())
    return [attributes for tag, attributes in reader.tags if tag == name]


def title(response: Any) -> str:
    """What the browser's tab would say."""
    reader = _Reader()
    reader.feed(response.content.decode())
    return reader.title.strip()


def attributes_used(response: Any) -> set[str]:
    """The names of all attributes of all elements."""
    reader = _Reader()
    reader.feed(response.content.decode())
    return {name for _tag, attributes in reader.tags for name in attributes}


def hidden(response: Any, name: str, *, action: str = "") -> str:
    """The value of a hidden field; with `action`, of the form that goes to that address."""
    reader = _Reader()
    reader.feed(response.content.decode())
    form_action = ""
    for tag, attributes in reader.tags:
        if tag == "form":
            form_action = attributes.get("action", "")
        if tag == "input" and attributes.get("name") == name and form_action == action:
            return attributes.get("value", "")
    raise AssertionError(f"There is no field {name!r} in a form to {action!r}.")


def form_fields(response: Any, action: str) -> dict[str, str]:
    """What the form to an address would send if nothing were changed in it; its buttons are left out."""
    reader = _Reader()
    reader.feed(response.content.decode())
    fields: dict[str, str] = {}
    form_action = selection = ""
    for tag, attributes in reader.tags:
        if tag == "form":
            form_action = attributes.get("action", "")
        elif form_action != action:
            continue
        elif tag == "input" and (attributes.get("type") not in ("checkbox", "radio") or "checked" in attributes):
            fields[attributes["name"]] = attributes.get("value", "")
        elif tag == "select":
            selection = attributes["name"]
        elif tag == "option" and (selection not in fields or "selected" in attributes):
            fields[selection] = attributes["value"]
    return fields
