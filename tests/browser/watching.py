"""What must never happen while a page is open: errors, violations of the policy, requests to elsewhere."""

from urllib.parse import urlsplit

from playwright.sync_api import BrowserContext, ConsoleMessage, Request, Response, WebError

# The browser's own line about an answer of 4xx or 5xx; the answers themselves are looked at instead.
_ANSWER_LINE = "Failed to load resource: the server responded with a status of"
_INSIDE = {"data", "blob", "about"}


class Watch:
    """Collects what goes wrong in windows, for the test to fail on at its end."""

    def __init__(self, site: str) -> None:
        """`site` is the only host that may be asked, such as `http://127.0.0.1:1234`."""
        self._host = urlsplit(site).netloc
        self.troubles: list[str] = []
        self._expected: set[int] = set()

    def expect(self, *statuses: int) -> None:
        """Take answers with these statuses (403, 409) for what the test is about."""
        self._expected.update(statuses)

    def over(self, context: BrowserContext) -> None:
        """Watch every page of a browser window from now on."""
        context.on("console", self._console)
        context.on("weberror", self._error)
        context.on("request", self._request)
        context.on("response", self._response)

    def _console(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning") and not message.text.startswith(_ANSWER_LINE):
            self.troubles.append(f"console {message.type} at {_page_of(message)}: {message.text}")

    def _error(self, error: WebError) -> None:
        self.troubles.append(f"uncaught error: {error.error}")

    def _request(self, request: Request) -> None:
        where = urlsplit(request.url)
        if where.scheme not in _INSIDE and where.netloc != self._host:
            self.troubles.append(f"a request left the host: {request.url}")

    def _response(self, response: Response) -> None:
        if response.status >= 400 and response.status not in self._expected:
            self.troubles.append(f"{response.status} in answer to {response.request.method} {response.url}")


def _page_of(message: ConsoleMessage) -> str:
    return message.page.url if message.page else "a page that is gone"
