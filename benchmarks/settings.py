"""The product's own settings, with a key of their own and the carriers of the measurements."""

import os

os.environ.setdefault("SECRET_KEY", "only-for-benchmarks-" + "x" * 50)
os.environ.setdefault("HTTPS", "false")
os.environ.setdefault("LOG_LEVEL", "WARNING")
os.environ.setdefault("DEFAULT_CARRIER", "instant")
# One worker, sixteen purchases in the air.
os.environ.setdefault("RUNS_PER_JOB", "1")
os.environ.setdefault("SHIP_CONCURRENCY", "16")

from shipping.project.settings import *  # noqa: F403

CARRIERS = {
    "instant": {"ADAPTER": "benchmarks.carriers.Instant"},
    "label_server": {
        "ADAPTER": "benchmarks.carriers.LabelServer",
        "OPTIONS": {"url": os.environ.get("LABEL_SERVER", "http://127.0.0.1:8003")},
    },
}
