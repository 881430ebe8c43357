"""What the web server really sends, over a socket: the test client hides it."""

import http.client
import threading
from collections.abc import Iterator

import pytest
from django.core.wsgi import get_wsgi_application
from waitress.server import create_server

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def port() -> Iterator[int]:
    """The real web server, on a free port."""
    server = create_server(get_wsgi_application(), host="127.0.0.1", port=0, threads=2)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    yield server.effective_port
    # In the thread that waits on the sockets: closed by another, they may be bad when it looks at them next.
    server.trigger.pull_trigger(server.close)
    thread.join(10)
    assert not thread.is_alive()
    server.task_dispatcher.shutdown()


@pytest.mark.parametrize("path", ["/login/", "/", "/nowhere/", "/admin/login/"])
def test_head_is_answered_without_a_body_so_the_connection_can_be_used_again(port: int, path: str) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    for _time in range(2):
        connection.request("HEAD", path)
        head = connection.getresponse()
        assert head.read() == b""
        connection.request("GET", path)
        answer = connection.getresponse()
        answer.read()
        assert answer.status == head.status
    connection.close()
