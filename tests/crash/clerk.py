"""A person at the browser who sends what a page offers: its forms as they stand, some of their fields filled in."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from html.parser import HTMLParser
from urllib.parse import urljoin, urlsplit

import requests

from tests.torture.person import SECONDS, NoAnswer, Person

Fields = list[tuple[str, str]]
File = tuple[str, bytes]  # its name and what it holds


@dataclass(slots=True)
class Form:
    """A form of a page: where it goes, what it would send, and what it leaves to the person."""

    action: str
    identity: str = ""
    fields: Fields = field(default_factory=list)
    boxes: Fields = field(default_factory=list)
    buttons: Fields = field(default_factory=list)
    files: Mapping[str, File] = field(default_factory=dict)

    def fill(self, answers: Mapping[str, str], *, tick: str = "") -> None:
        """Answer fields by their names, and tick all boxes of that name."""
        self.fields += [box for box in self.boxes if box[0] == tick]
        self.fields = [each for each in self.fields if each[0] not in answers] + list(answers.items())


class _Reader(HTMLParser):
    """The forms of a page. A box may belong to a form elsewhere on the page, by the form's id."""

    def __init__(self, path: str) -> None:
        super().__init__()
        self.path = path
        self.forms: list[Form] = []
        self.strays: dict[str, Fields] = {}
        self.at: Form | None = None
        self.selection = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        told = {name: value or "" for name, value in attrs}
        if tag == "form":
            action = urljoin(self.path, told.get("action", "")) if told.get("method", "") == "post" else ""
            self.at = Form(action or "GET", told.get("id", ""))
            self.forms.append(self.at)
        elif tag == "input" and "form" in told:
            self.strays.setdefault(told["form"], []).append((told["name"], told["value"]))
        elif self.at is not None and "disabled" not in told:
            self._field(self.at, tag, told)

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self.at = None

    def _field(self, form: Form, tag: str, told: dict[str, str]) -> None:
        name, value = told.get("name", ""), told.get("value", "")
        kind = told.get("type", "")
        if tag == "button" or kind == "submit":
            form.buttons.append((name, value))
        elif tag == "select":
            self.selection = name
        elif tag == "option" and self.selection:
            others = [each for each in form.fields if each[0] != self.selection]
            if len(others) == len(form.fields) or "selected" in told:
                form.fields = [*others, (self.selection, value)]
        elif tag == "input" and kind != "file" and name:
            unticked = kind in ("checkbox", "radio") and "checked" not in told
            (form.boxes if unticked else form.fields).append((name, value))

    def close(self) -> None:
        super().close()
        for form in self.forms:
            form.boxes += self.strays.get(form.identity, [])


class Clerk(Person):
    """One signed-in user, who has a session that outlives the web server."""

    def look_at(self, path: str) -> list[Form]:
        """The forms of the page that the address leads to. Raises NoAnswer; AssertionError for an error page."""
        try:
            answer = self.session.get(f"{self.url}{path}", timeout=SECONDS)
        except requests.RequestException as error:
            raise NoAnswer(str(error)) from None
        assert answer.status_code in (requests.codes.ok, requests.codes.not_found), f"{path}: {answer.status_code}"
        return self._forms(answer)

    def find(self, path: str, action: str, *, button: tuple[str, str] | None = None) -> Form | None:
        """The form to that address on a page, with the button in it that will be pressed; None where the page offers
        no such thing.
        """
        return chosen(self.look_at(path), action, button=button)

    def press(self, form: Form) -> list[Form]:
        """Send a form; returns those of the page that it leads to. Raises NoAnswer, and then nobody knows what it did;
        AssertionError when the server failed.
        """
        try:
            answer = self.session.post(
                f"{self.url}{form.action}", data=form.fields, files=form.files or None, timeout=SECONDS
            )
        except requests.RequestException as error:
            raise NoAnswer(str(error)) from None
        assert answer.status_code < requests.codes.server_error, f"{form.action}: {answer.status_code}"
        return self._forms(answer)

    def _forms(self, answer: requests.Response) -> list[Form]:
        address = urlsplit(answer.url)
        reader = _Reader(f"{address.path}?{address.query}" if address.query else address.path)
        reader.feed(answer.text)
        reader.close()
        return reader.forms


def chosen(forms: list[Form], action: str, *, button: tuple[str, str] | None = None) -> Form | None:
    """The form to that address, with the button in it that will be pressed; None when there is none."""
    for form in forms:
        if form.action.partition("?")[0] == action and (button is None or button in form.buttons):
            form.fields += [button] if button is not None else []
            return form
    return None
