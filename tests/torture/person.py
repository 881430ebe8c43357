"""A clerk at the browser: looks at pages and posts forms over HTTP, and never knows whether a post that broke off did
anything: then the page is looked at again.
"""

import html
import re
from dataclasses import dataclass, field

import requests

from recovery.confirmation import RecoveryChoice, confirmed_facts

SECONDS = 30.0


class NoAnswer(Exception):
    """The web server did not answer."""


@dataclass(frozen=True, slots=True)
class Post:
    """A form, filled in and ready to be sent."""

    path: str
    fields: dict[str, str] = field(default_factory=dict)


class Person:
    """One signed-in user."""

    def __init__(self, url: str, username: str) -> None:
        """The password is the username."""
        self.url = url
        self.username = username
        self.session = requests.Session()
        self.session.trust_env = False
        self.errors: list[str] = []

    def sign_in(self) -> None:
        """Sign in. Raises NoAnswer."""
        self._look("/login/")
        answer = self.send(Post("/login/", {"username": self.username, "password": self.username}))
        assert answer == requests.codes.found, f"signing in was answered with {answer}"

    def send(self, post: Post) -> int:
        """Send a form; returns the status of the answer. Raises NoAnswer, and then nobody knows what it did."""
        token = self.session.cookies.get("csrftoken", "")
        try:
            answer = self.session.post(
                f"{self.url}{post.path}",
                data={**post.fields, "csrfmiddlewaretoken": token or ""},
                timeout=SECONDS,
                allow_redirects=False,
            )
        except requests.RequestException as error:
            raise NoAnswer(str(error)) from None
        self._note(answer)
        return answer.status_code

    def resume(self, job_id: int, *, skip: bool, retry_failed: bool) -> Post | None:
        """The form that resumes a job, as its page offers it now; None when it does not."""
        form = self._form(f"/recovery/{job_id}/", f"/recovery/{job_id}/resume/")
        if form is None:
            return None
        answers = {"halting_row": "skip" if skip else "retry"} if 'name="halting_row"' in form else {}
        if retry_failed and 'name="retry_failed"' in form:
            answers["retry_failed"] = "on"
        return Post(f"/recovery/{job_id}/resume/", {"confirmation": _confirmation(form), "reason": "", **answers})

    def restart(self, job_id: int, *, void_first: bool) -> Post | None:
        """The form that begins a job again, with the number of rows typed that it asks for; None without one."""
        path = f"/recovery/{job_id}/restart/"
        form = self._form(path, path)
        if form is None:
            return None
        confirmation = _confirmation(form)
        rows = confirmed_facts(RecoveryChoice.restart, job_id, confirmation).labelled_rows
        fields = {"confirmation": confirmation, "reason": "All of it was damaged", "typed_rows": str(rows)}
        return Post(path, {**fields, "void_first": "on"} if void_first else fields)

    def cancel_interrupted(self, job_id: int) -> Post | None:
        """The form that cancels an interrupted job, as its recovery page offers it now."""
        path = f"/recovery/{job_id}/cancel/"
        form = self._form(f"/recovery/{job_id}/", path)
        return Post(path, {"confirmation": _confirmation(form)}) if form is not None else None

    def cancel(self, job_id: int) -> Post | None:
        """The form that cancels an open job."""
        return self._confirmed(f"/jobs/{job_id}/cancel/")

    def decide(self, job_id: int, number: int, decision: str) -> Post | None:
        """The form that decides a row, if the row's page offers this decision now."""
        action = f"/recovery/{job_id}/rows/{number}/"
        for form in self._forms_for(f"/jobs/{job_id}/rows/{number}/", action):
            shown = re.search(r'name="shown" value="([^"]+)"', form)
            if shown is not None and f'value="{decision}"' in form:
                fields = {"shown": html.unescape(shown[1]), "decision": decision}
                return Post(action, {**fields, "reason": "Looked up in the carrier's own list"})
        return None

    def void(self, job_id: int) -> Post | None:
        """The form that has all labels of a job voided; None when there are none."""
        return self._confirmed(f"/jobs/{job_id}/void/", agreed="on")

    def _confirmed(self, path: str, **fields: str) -> Post | None:
        form = self._form(path, path)
        return Post(path, {"confirmation": _confirmation(form), **fields}) if form is not None else None

    def _form(self, path: str, action: str) -> str | None:
        """The confirmed form of that action on a page, if the page has it. Raises NoAnswer."""
        return next((form for form in self._forms_for(path, action) if 'name="confirmation"' in form), None)

    def _forms_for(self, path: str, action: str) -> list[str]:
        """The forms of that action on a page. Raises NoAnswer."""
        forms: list[str] = re.findall(r"<form\b.*?</form>", self._look(path), re.DOTALL)
        return [form for form in forms if f'action="{action}"' in form or (path == action and "action=" not in form)]

    def _look(self, path: str) -> str:
        try:
            answer = self.session.get(f"{self.url}{path}", timeout=SECONDS, allow_redirects=False)
        except requests.RequestException as error:
            raise NoAnswer(str(error)) from None
        self._note(answer)
        return answer.text

    def _note(self, answer: requests.Response) -> None:
        if answer.status_code >= requests.codes.server_error:
            self.errors.append(f"{answer.request.method} {answer.request.path_url}: {answer.status_code}")


def _confirmation(form: str) -> str:
    found = re.search(r'name="confirmation" value="([^"]+)"', form)
    assert found is not None, form
    return found[1]
