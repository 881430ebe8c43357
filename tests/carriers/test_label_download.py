"""The bytes of labels: whole, of a sane size, in time, and fetched without our key."""

import time

import pytest

from shipping.carriers.label_download import LARGEST_LABEL
from shipping.carriers.port import CarrierError, LabelFile, Rejected, Unavailable, Unknown
from tests.carriers.scripted import Act, Drop, Hang, Reply, ScriptedCarrier, answer, refusal, refused_port
from tests.carriers.shipments import HANDLE, adapter, bought, created

PDF = b"%PDF-1.4 a label"


def test_it_fetches_the_bytes_without_the_api_key(carrier: ScriptedCarrier) -> None:
    carrier.on("GET /1.pdf", Reply(PDF, headers=("Content-Type: binary/octet-stream",)))
    label = adapter(carrier).fetch_label(HANDLE, f"{carrier.url}/1.pdf", timeout=5)
    assert label == LabelFile(content=PDF, content_type="application/pdf")
    assert [each.path for each in carrier.requests] == ["/1.pdf"]
    assert "authorization" not in carrier.requests[0].headers


def test_a_png_is_told_by_its_own_first_bytes(carrier: ScriptedCarrier) -> None:
    carrier.on("GET /1.pdf", Reply(b"\x89PNG\r\n\x1a\n...", headers=("Content-Type: application/pdf",)))
    assert adapter(carrier).fetch_label(HANDLE, f"{carrier.url}/1.pdf", timeout=5).content_type == "image/png"


def test_without_an_address_the_shipment_is_asked_for_it(carrier: ScriptedCarrier) -> None:
    label = {"label_url": f"{carrier.url}/1.pdf"}
    carrier.on("GET /" + HANDLE, answer(bought(postage_label=label)))
    carrier.on("GET /1.pdf", Reply(PDF))
    assert adapter(carrier).fetch_label(HANDLE, "", timeout=5).content == PDF
    assert [("authorization" in each.headers) for each in carrier.requests] == [True, False]


@pytest.mark.parametrize(
    ("act", "kind"),
    [(answer(created()), Unavailable), (Drop(), Unavailable), (refusal(404, "NOT_FOUND"), Unknown)],
    ids=["not bought", "drop", "404"],
)
def test_without_an_address_anywhere_there_is_no_label(
    carrier: ScriptedCarrier, act: Act, kind: type[CarrierError]
) -> None:
    carrier.on("GET /" + HANDLE, act)
    with pytest.raises(kind):
        adapter(carrier).fetch_label(HANDLE, "", timeout=5)


@pytest.mark.parametrize(
    ("act", "kind", "code"),
    [
        (Reply(b""), Unavailable, "LABEL_EMPTY"),
        (Reply(b"<html>Sorry</html>"), Unavailable, "NOT_A_LABEL"),
        (Reply(PDF, claims=500), Unavailable, "LABEL_UNREACHABLE"),
        (Drop(), Unavailable, "LABEL_UNREACHABLE"),
        (Hang(), Unavailable, "LABEL_UNREACHABLE"),
        (Reply(b"busy", 503), Unavailable, "LABEL_UNREACHABLE"),
        (Reply(b"slow down", 429), Unavailable, "LABEL_UNREACHABLE"),
        (Reply(b"gone", 404), Rejected, "LABEL_REFUSED"),
        (Reply(b"", 302, ("Location: /1.pdf",)), Unavailable, "LABEL_UNREACHABLE"),
        (Reply(b"", 302, ("Location: file:///etc/hostname",)), Unavailable, "LABEL_UNREACHABLE"),
        (Reply(b"%PDF-" + b"0" * LARGEST_LABEL), Rejected, "LABEL_TOO_LARGE"),
    ],
    ids=["empty", "html", "cut off", "drop", "hang", "503", "429", "404", "circle", "file", "large"],
)
def test_what_is_not_a_whole_label_is_never_returned(
    carrier: ScriptedCarrier, act: Act, kind: type[CarrierError], code: str
) -> None:
    carrier.on("GET /1.pdf", act)
    with pytest.raises(kind) as caught:
        adapter(carrier).fetch_label(HANDLE, f"{carrier.url}/1.pdf", timeout=1)
    assert caught.value.code == code


def test_a_host_that_drips_is_given_up_when_the_time_is_over(carrier: ScriptedCarrier) -> None:
    carrier.on("GET /1.pdf", Reply(PDF * 100, drip=0.05))
    started = time.monotonic()
    with pytest.raises(Unavailable) as caught:
        adapter(carrier).fetch_label(HANDLE, f"{carrier.url}/1.pdf", timeout=0.5)
    assert caught.value.code == "LABEL_TOO_SLOW"
    assert time.monotonic() - started < 2


def test_a_label_in_chunks_is_read_whole(carrier: ScriptedCarrier) -> None:
    chunks = b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in (PDF[:3], PDF[3:])) + b"0\r\n\r\n"
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    carrier.on("GET /1.pdf", Reply(chunks, raw_head=head))
    assert adapter(carrier).fetch_label(HANDLE, f"{carrier.url}/1.pdf", timeout=5).content == PDF


@pytest.mark.parametrize(
    "url", ["file:///etc/hostname", "ftp://labels.example/1.pdf", "//labels.example/1.pdf", "1.pdf"]
)
def test_only_web_addresses_are_fetched(carrier: ScriptedCarrier, url: str) -> None:
    with pytest.raises(Rejected, match="not an http"):
        adapter(carrier).fetch_label(HANDLE, url, timeout=5)


def test_a_label_host_that_is_down_is_unavailable(carrier: ScriptedCarrier) -> None:
    with pytest.raises(Unavailable):
        adapter(carrier).fetch_label(HANDLE, f"http://127.0.0.1:{refused_port()}/1.pdf", timeout=2)
