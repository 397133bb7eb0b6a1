"""The prediction stream, read as ``docs/STREAM.md`` says: canaries and duplicates dropped, one row for each page.

`read_eventstreams` brings deliveries over HTTP, `read_kafka` from Kafka (it needs the extra ``kafka``), and any other
iterator of `Delivery` does as well; a `Consumer` takes them in and survives restarts. `ShownEdits` keeps titles,
comments and users as well, and removes what is hidden.
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
