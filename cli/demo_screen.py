"""What the demo shows: one line for each prediction that EventGate accepts, and a closing summary."""

from collections.abc import Mapping
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

BAR_WIDTH = 10
TITLE_WIDTH = 34
RISK_COLOURS = ((0.5, "red"), (0.2, "yellow"), (0.0, "green"))


class Screen:
    """Writes to one console, a line at a time, so that a log of it reads as well as a terminal."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._shown = 0

    def say(self, text: str) -> None:
        """Write one line of prose."""
        self._console.print(text, highlight=False, markup=False, soft_wrap=True)

    def show(self, event: Mapping[str, Any]) -> None:
        """Write one accepted prediction event."""
        if self._shown == 0:
            self.say(f"{'risk':<{BAR_WIDTH + 6}} {'wiki':<14} {'page':<{TITLE_WIDTH}} revision")
        self._shown += 1
        probability = event["predicted_classification"]["probabilities"]["true"]
        title = event["page"]["page_title"].replace("_", " ")
        line = Text(no_wrap=True, overflow="ellipsis")
        line.append(_bar(probability), style=_colour(probability))
        line.append(f" {probability:5.3f} {event['wiki_id']:<14} ")
        cell = Text(title)
        cell.truncate(TITLE_WIDTH, overflow="ellipsis", pad=True)
        line.append_text(cell)
        line.append(f" {event['revision']['rev_id']}")
        self._console.print(line)

    def summarise(self, model_name: str, counts: Mapping[str, Any]) -> None:
        """Write what became of one model's events."""
        table = Table(title=f"{model_name}: {counts['read']} events read in {counts['seconds']} s")
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


def _bar(probability: float) -> str:
    filled = round(probability * BAR_WIDTH)
    return "█" * filled + "·" * (BAR_WIDTH - filled)


def _colour(probability: float) -> str:
    return next(colour for threshold, colour in RISK_COLOURS if probability >= threshold)
