"""Where parcels come from. A sender never changes: a new address is a new sender."""

from django.db import models

from shipping.carriers.port import Address


class SenderQuerySet(models.QuerySet["Sender"]):
    def current(self) -> "Sender | None":
        """The sender that new jobs get: the one set last."""
        return self.order_by("-pk").first()


class Sender(models.Model):
    """A return address. Jobs keep the one they were created with."""

    name = models.CharField(max_length=100)
    company = models.CharField(max_length=100, blank=True)
    street1 = models.CharField(max_length=100)
    street2 = models.CharField(max_length=100, blank=True)
    city = models.CharField(max_length=100)
    state = models.CharField(max_length=50, blank=True)
    zip = models.CharField(max_length=20)
    country = models.CharField(max_length=2, default="US")
    phone = models.CharField(max_length=50)
    email = models.CharField(max_length=200, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    objects = SenderQuerySet.as_manager()

    def __str__(self) -> str:
        return f"{self.name}, {self.street1}, {self.zip} {self.city}"

    @property
    def address(self) -> Address:
        return Address(
            name=self.name,
            company=self.company,
            street1=self.street1,
            street2=self.street2,
            city=self.city,
            state=self.state,
            zip=self.zip,
            country=self.country,
            phone=self.phone,
            email=self.email,
        )
