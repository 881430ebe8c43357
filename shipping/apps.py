"""The app of the books, the engine and the pages about them."""

from django.apps import AppConfig


class ShippingConfig(AppConfig):
    name = "shipping"

    def ready(self) -> None:
        from shipping import checks  # noqa: F401  (registers the system checks)
