"""Reads the prediction stream as ``docs/STREAM.md`` describes: without canaries and duplicates, one row for each page.

`read_eventstreams` yields deliveries over HTTP, `read_kafka` from Kafka (it needs the extra ``kafka``). Any other
iterator of `Delivery` works as well. A `Consumer` takes deliveries and continues after restarts. `ShownEdits` also
keeps titles, comments and users, and removes hidden ones.
"""

from revertrisk.consumer.checkpoint import ConsumerCheckpointError
from revertrisk.consumer.consumer import Consumer
from revertrisk.consumer.prediction import NaturalKey, PredictionRecord, version_order
from revertrisk.consumer.reader import Drop, PredictionReader
from revertrisk.consumer.shown_edits import Hiding, ShownEdit, ShownEdits, read_hiding
from revertrisk.consumer.sources import Delivery, read_eventstreams, read_kafka
from revertrisk.streams.base import SourceError
from revertrisk.streams.resuming_stream import StreamRefusedError

__all__ = [
    "Consumer",
    "ConsumerCheckpointError",
    "Delivery",
    "Drop",
    "Hiding",
    "NaturalKey",
    "PredictionReader",
    "PredictionRecord",
    "ShownEdit",
    "ShownEdits",
    "SourceError",
    "StreamRefusedError",
    "read_eventstreams",
    "read_hiding",
    "read_kafka",
    "version_order",
]
