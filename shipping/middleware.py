"""What every request and every answer goes through."""

from collections.abc import Callable

from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.utils import timezone

from shipping.preferences import time_zone_of

Answer = Callable[[HttpRequest], HttpResponseBase]


def empty_answers_to_head(get_response: Answer) -> Answer:
    """Send no body in answer to HEAD (RFC 9110, 9.3.2).

    Django leaves that to the server, and waitress to the application: a body that nobody reads would be taken for
    the next answer on a connection that is kept open.
    """

    def answer(request: HttpRequest) -> HttpResponseBase:
        response = get_response(request)
        if request.method == "HEAD":
            if response.streaming:
                response.streaming_content = iter(())  # type: ignore[attr-defined]
            else:
                response.content = b""  # type: ignore[attr-defined]
        return response

    return answer


def times_of_the_viewer(get_response: Answer) -> Answer:
    """Show every time of a page in the zone of the person who looks at it; else in the site's own."""

    def answer(request: HttpRequest) -> HttpResponseBase:
        with timezone.override(time_zone_of(request)):
            return get_response(request)

    return answer
