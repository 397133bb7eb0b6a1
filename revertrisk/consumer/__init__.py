"""The prediction stream, read as ``docs/STREAM.md`` says: canaries and duplicates dropped, one row for each page.

`read_eventstreams` brings deliveries over HTTP, `revertrisk.consumer.kafka.read_kafka` from Kafka (it needs the extra
``kafka``), and any other iterator of `Delivery` does as well; a `Consumer` takes them in and survives restarts.
"""

from revertrisk.consumer.checkpoint import CheckpointError
from revertrisk.consumer.consumer import Consumer
from revertrisk.consumer.delivery import Delivery
from revertrisk.consumer.eventstreams import (
    EventTooLargeError,
    StreamRefusedError,
    read_eventstreams,
    rewound,
)
from revertrisk.consumer.prediction import NaturalKey, Prediction, version_order
from revertrisk.consumer.reader import Drop, PredictionReader

__all__ = [
    "CheckpointError",
    "Consumer",
    "Delivery",
    "Drop",
    "EventTooLargeError",
    "NaturalKey",
    "Prediction",
    "PredictionReader",
    "StreamRefusedError",
    "read_eventstreams",
    "rewound",
    "version_order",
]
