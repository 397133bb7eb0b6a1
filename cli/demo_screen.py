"""What the demo shows: a line for each revision once every model has spoken, and a closing summary."""

from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

BAR_WIDTH = 10
COLUMN_WIDTH = BAR_WIDTH + 7
TITLE_WIDTH = 30
RISK_COLOURS = ((0.5, "red"), (0.2, "yellow"), (0.0, "green"))

RevisionKey = tuple[str, int]


class Screen:
    """Writes to one console, a line at a time, so that a log of it reads as well as a terminal."""

    def __init__(self, console: Console, models: Sequence[str]) -> None:
        self._console = console
        self._models = models
        self._verdicts: dict[RevisionKey, dict[str, float | None]] = {}
        self._titles: dict[RevisionKey, str] = {}
        self._shown = 0

    def say(self, text: str) -> None:
        """Write one line of prose."""
        self._console.print(text, highlight=False, markup=False, soft_wrap=True)

    def show(self, event: Mapping[str, Any]) -> None:
        """Take an accepted prediction event; its revision is shown once no model is awaited any more."""
        classification = event["predicted_classification"]
        key = _key(event)
        self._titles[key] = event["page"]["page_title"].replace("_", " ")
        self._note(key, classification["model_name"], classification["probabilities"]["true"])

    def expect_nothing(self, event: Mapping[str, Any], model_name: str) -> None:
        """Take notice that a model will give no prediction for an event's revision."""
        self._note(_key(event), model_name, None)

    def _note(self, key: RevisionKey, model_name: str, probability: float | None) -> None:
        verdicts = self._verdicts.setdefault(key, {})
        verdicts[model_name] = probability
        if len(verdicts) == len(self._models):
            del self._verdicts[key]
            if any(known is not None for known in verdicts.values()):
                self._write(key, verdicts)

    def _write(self, key: RevisionKey, verdicts: Mapping[str, float | None]) -> None:
        if self._shown == 0:
            columns = " ".join(f"{name.removeprefix('revertrisk-'):<{COLUMN_WIDTH}}" for name in self._models)
            self.say(f"{columns} {'wiki':<14} {'page':<{TITLE_WIDTH}} revision")
        self._shown += 1
        line = Text(no_wrap=True, overflow="ellipsis")
        for name in self._models:
            line.append_text(_risk(verdicts[name]))
            line.append(" ")
        wiki_id, rev_id = key
        line.append(f"{wiki_id:<14} ")
        title = Text(self._titles[key])
        title.truncate(TITLE_WIDTH, overflow="ellipsis", pad=True)
        line.append_text(title)
        line.append(f" {rev_id}")
        self._console.print(line, soft_wrap=True)

    def summarise(self, model_name: str, counts: Mapping[str, Any]) -> None:
        """Write what became of one model's events."""
        table = Table(title=f"{model_name}\n{counts['read']} events read in {counts['seconds']} s")
        table.add_column("outcome")
        table.add_column("events", justify="right")
        for outcome, count in counts["outcomes"].items():
            table.add_row(outcome, str(count), style="red" if outcome.startswith("given_up") else None)
        self._console.print(table)

    def close(self, *, accepted: int, failed: int) -> None:
        """Write the verdict."""
        self._console.print(
            Text(
                f"EventGate accepted {accepted} predictions; {failed} failed.",
                style="red" if failed else "green",
            )
        )


def _key(event: Mapping[str, Any]) -> RevisionKey:
    return event["wiki_id"], event["revision"]["rev_id"]


def _risk(probability: float | None) -> Text:
    """Draw a probability as a bar and a number; a dash stands for none."""
    if probability is None:
        return Text(f"{'-':<{COLUMN_WIDTH}}", style="dim")
    filled = round(probability * BAR_WIDTH)
    bar = "█" * filled + "·" * (BAR_WIDTH - filled)
    colour = next(colour for threshold, colour in RISK_COLOURS if probability >= threshold)
    return Text(f"{bar} {probability:5.3f} ", style=colour)
