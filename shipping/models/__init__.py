"""The books."""

from shipping.models.clock import Boot
from shipping.models.comparison import Comparison, Orphan
from shipping.models.event import Event
from shipping.models.job import Job
from shipping.models.label import Label
from shipping.models.pace import Pace
from shipping.models.preference import Preference
from shipping.models.row import Row
from shipping.models.run import Run
from shipping.models.sender import Sender
from shipping.models.upload import RememberedMapping, Upload
from shipping.models.worker import Worker

__all__ = [
    "Boot",
    "Comparison",
    "Event",
    "Job",
    "Label",
    "Orphan",
    "Pace",
    "Preference",
    "RememberedMapping",
    "Row",
    "Run",
    "Sender",
    "Upload",
    "Worker",
]
