"""Keys that people's searches are looked up by: a name, a reference, a tracking number as it is typed in a hurry.

A key is kept beside the value it is made of, since neither database can fold letters as people do: without case,
accents or punctuation. The beginning of a key is a range of its index, however many rows there are.
"""

import re
import unicodedata
from collections.abc import Callable
from typing import Any

from django.db import models
from django.db.backends.base.base import BaseDatabaseWrapper

# Longer values are told apart well before this, and indexes stay small.
KEY_LENGTH = 50

# What stands after the last name without being one.
_AFTER_THE_NAME = frozenset({"jr", "sr", "ii", "iii", "iv", "phd", "md", "esq"})
_APOSTROPHES = str.maketrans("", "", "'’ʼ`´")
_WORD = re.compile(r"[^\W_]+")


def name_key(name: str) -> str:
    """ "Zoë O'Brien-Smith" → "zoe obrien smith"."""
    return " ".join(_words(name))[:KEY_LENGTH]


def surname_key(name: str) -> str:
    """The last word first: "Zoë van Dyke Jr." → "dyke zoe van". Empty for a single word, which `name_key` finds."""
    words = _words(name)
    while len(words) > 1 and words[-1] in _AFTER_THE_NAME:
        words.pop()
    return " ".join([words[-1], *words[:-1]])[:KEY_LENGTH] if len(words) > 1 else ""


def reference_key(reference: str) -> str:
    """ "#SO-1001 / b" → "so1001b"."""
    return "".join(_words(reference))[:KEY_LENGTH]


def reversed_key(number: str) -> str:
    """A number from its end, so that its last digits are the beginning of a key."""
    return "".join(_words(number))[::-1][:KEY_LENGTH]


def search_keys(*, recipient: str, order_reference: str) -> dict[str, str]:
    """The keys of a row, for updates that go past `Row.save()`."""
    return {
        "name_key": name_key(recipient),
        "surname_key": surname_key(recipient),
        "reference_key": reference_key(order_reference),
    }


def _words(text: str) -> list[str]:
    if text.isascii() and text.isalnum():
        return [text.lower()]
    folded = text.casefold()
    if not folded.isascii():
        spread = unicodedata.normalize("NFKD", folded)
        folded = "".join(letter for letter in spread if not unicodedata.combining(letter))
    return _WORD.findall(folded.translate(_APOSTROPHES))


class SearchKey(models.CharField):  # type: ignore[type-arg]
    """The key of another field of the same record, made whenever the record is inserted or saved whole.

    Keys are compared by their code points on every database: only then is the beginning of one a range of its index.
    """

    def __init__(self, *, of: str, make: Callable[[str], str], **options: Any) -> None:
        self.of, self.make = of, make
        super().__init__(**{"max_length": KEY_LENGTH, "default": "", "blank": True, "editable": False, **options})

    def deconstruct(self) -> Any:
        name, path, arguments, options = super().deconstruct()
        return name, path, arguments, {**options, "of": self.of, "make": self.make}

    def db_parameters(self, connection: BaseDatabaseWrapper) -> Any:
        """SQLite compares bytes anyhow; PostgreSQL does so in the collation "C"."""
        return {**super().db_parameters(connection), "collation": "C" if connection.vendor == "postgresql" else None}

    def pre_save(self, model_instance: models.Model, add: bool) -> str:  # noqa: ARG002 (Django's signature)
        key = self.make(getattr(model_instance, self.of))
        setattr(model_instance, self.attname, key)
        return key
