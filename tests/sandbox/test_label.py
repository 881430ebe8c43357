"""The label is a PDF that a person can read."""

import base64
import re
import zlib
from typing import Any

import pytest
import requests
from easypost.easypost_client import EasyPostClient

from shipping.sandbox import label
from shipping.sandbox.checks import checked_shipment
from tests.sandbox.shipments import shipment

TRACKING = "9400100000000000000001"


def _page(pdf: bytes) -> str:
    """What is drawn on the page, as PDF's drawing commands."""
    streams = re.findall(rb"/ASCII85Decode /FlateDecode.*?stream\r?\n(.*?)endstream", pdf, re.DOTALL)
    pages = [zlib.decompress(base64.a85decode(stream.strip(), adobe=False)) for stream in map(_without_end, streams)]
    return next(page.decode("latin-1") for page in pages if b"SAMPLE" in page)


def _without_end(stream: bytes) -> bytes:
    return stream.strip().removesuffix(b"~>")


def _label(reference: str = "AB12CD-000048-1", **recipient: Any) -> bytes:
    return label.label_pdf(checked_shipment({"shipment": shipment(reference, **recipient)}), TRACKING, "Priority")


def test_the_label_url_leads_to_a_pdf_of_four_by_six_inches(client: EasyPostClient) -> None:
    made = client.shipment.create(**shipment("AB12CD-000048-1"))
    bought = client.shipment.buy(made.id, rate={"id": made.rates[0].id})
    answer = requests.get(bought.postage_label.label_url, timeout=5)
    assert answer.headers["Content-Type"] == "application/pdf"
    assert answer.content.startswith(b"%PDF-")
    assert len(re.findall(rb"/Type /Page\b", answer.content)) == 1
    assert re.search(rb"/MediaBox \[ 0 0 288 432 \]", answer.content)
    page = _page(answer.content)
    for text in ("SAMPLE", "Ada Moreno", "12 Elm Street", "Austin TX 78701", "AB12CD-000048-1", bought.tracking_code):
        assert text in page


def test_the_same_shipment_gives_the_same_bytes() -> None:
    assert _label() == _label()
    assert _label() != _label("AB12CD-000049-1")


def test_the_barcode_is_drawn_in_bars() -> None:
    assert len(re.findall(r"\bre\b", _page(_label()))) > 40


@pytest.mark.parametrize(
    "name",
    ["Zoë Müller", "Łukasz Żółć", "李小龍", "Иван Петров", "محمد", "👩‍🚀", "x" * 2000, "\ud800", "a\tb\x00c", "(\\)"],
)
def test_no_name_is_too_strange(name: str) -> None:
    assert _label(name=name).startswith(b"%PDF-")


def test_without_a_font_of_the_machine_letters_lose_their_marks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(label, "_wide_font", lambda: None)
    page = _page(_label(name="Łukasz Ťhoř 李", reference="AB12CD-000048-1"))
    assert "Lukasz Thor ?" in page
