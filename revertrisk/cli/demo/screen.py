"""The output of the demo: a line for each revision that all models have finished, and a summary."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from rich.console import Console
from rich.table import Table
from rich.text import Text

from revertrisk.cli.demo.tally import Tally

BAR_WIDTH = 10
COLUMN_WIDTH = BAR_WIDTH + 7
TITLE_WIDTH = 30
RISK_COLOURS = ((0.5, "red"), (0.2, "yellow"), (0.0, "green"))

FAULT: Final = "⚡"
RETRIED: Final = "↻"
REPEATED: Final = "≡"
_IN_ASCII: Final = str.maketrans({FAULT: "!", RETRIED: "~", REPEATED: "=", "█": "#", "·": ".", "…": "."})
"""Replacements for outputs that can show only ASCII."""
_STYLES: Final = {FAULT: "yellow", RETRIED: "cyan", REPEATED: "magenta"}
_INDENT: Final = "      "

RevisionKey = tuple[str, int]


class Screen:
    """Writes whole lines to a console, so that the output is also readable in a log."""

    def __init__(self, console: Console, models: Sequence[str]) -> None:
        self._console = console
        self._models = models
        self._verdicts: dict[RevisionKey, dict[str, float | None]] = {}
        self._titles: dict[RevisionKey, str] = {}
        self._shown = 0

    def say(self, text: str) -> None:
        """Write a line of text."""
        self._print(text)

    def explain_chaos(self) -> None:
        """Explain the marks of ``--chaos``."""
        self.say("Chaos: MediaWiki and EventGate fail on purpose while the sample edits are scored.")
        self._mark(FAULT, "a fault of MediaWiki or EventGate")
        self._mark(RETRIED, "a prediction that arrived after more than one try")
        self._mark(REPEATED, "a prediction that arrived twice, with identical content: readers keep one")
        self.say("")

    def say_fault(self, text: str) -> None:
        """Write a line about a fault."""
        self._mark(FAULT, text)

    def show_retried(self, event: Mapping[str, Any], model_name: str, tries: int) -> None:
        """Write that a prediction arrived, and after how many tries of the dispatcher."""
        self._mark(RETRIED, f"{_named(event, model_name)} arrived at try {tries}")

    def show_repeated(self, event: Mapping[str, Any], *, is_same: bool) -> None:
        """Write that a prediction arrived again."""
        again = "arrived twice, identical" if is_same else "arrived twice and DIFFERS"
        self._mark(REPEATED, f"{_named(event, event['predicted_classification']['model_name'])} {again}")

    def _mark(self, mark: str, text: str) -> None:
        self._print(Text(f"{_INDENT}{mark} {text}", style=_STYLES[mark]))

    def _print(self, line: str | Text) -> None:
        if self._console.options.ascii_only:
            plain = line if isinstance(line, str) else line.plain
            line = Text(plain.translate(_IN_ASCII), style="" if isinstance(line, str) else line.style)
        self._console.print(line, highlight=False, markup=False, soft_wrap=True)

    def show(self, event: Mapping[str, Any]) -> None:
        """Take an accepted prediction; its revision is shown when all models have finished."""
        classification = event["predicted_classification"]
        key = _key(event)
        self._titles[key] = event["page"]["page_title"].replace("_", " ")
        self._note(key, classification["model_name"], classification["probabilities"]["true"])

    def expect_nothing(self, event: Mapping[str, Any], model_name: str) -> None:
        """Take the information that a model makes no prediction for an event's revision."""
        self._note(_key(event), model_name, None)

    def _note(self, key: RevisionKey, model_name: str, probability: float | None) -> None:
        verdicts = self._verdicts.setdefault(key, {})
        verdicts[model_name] = probability
        if len(verdicts) == len(self._models):
            del self._verdicts[key]
            title = self._titles.pop(key, None)  # absent where no model has scored it
            if title is not None:
                self._write(key, title, verdicts)

    def _write(self, key: RevisionKey, page_title: str, verdicts: Mapping[str, float | None]) -> None:
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
        title = Text(page_title)
        title.truncate(TITLE_WIDTH, overflow="ellipsis", pad=True)
        line.append_text(title)
        line.append(f" {rev_id}")
        self._print(line)

    def summarise(self, model_name: str, counts: Mapping[str, Any]) -> None:
        """Write the number of events of one model, by outcome."""
        table = Table(title=f"{model_name}\n{counts['read']} events read in {counts['seconds']} s")
        table.add_column("outcome")
        table.add_column("events", justify="right")
        for outcome, count in counts["outcomes"].items():
            table.add_row(outcome, str(count), style="red" if outcome.startswith("given_up") else None)
        self._console.print(table)

    def show_answer(self, question: str, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
        """Write a query and its result."""
        self.say(f"\n{question}\n")
        table = Table()
        for name, value in zip(columns, rows[0], strict=True):
            table.add_column(name, justify="left" if isinstance(value, str) else "right")
        for row in rows:
            table.add_row(*map(str, row))
        self._console.print(table)

    def close(self, *, accepted: int, failed: int) -> None:
        """Write the last line, without faults."""
        self._console.print(
            Text(
                f"EventGate accepted {accepted} predictions; {failed} failed.",
                style="red" if failed else "green",
            )
        )

    def close_chaos(self, tally: Tally, faults: Mapping[str, int], *, refused: int, unfinished: int) -> None:
        """Write the summary of a run with faults."""
        where = ", ".join(f"{count} at {name}" for name, count in faults.items())
        self.say(f"{sum(faults.values())} faults occurred: {where}.")
        self.say(
            f"{tally.retried} events were sent more than once, with {tally.retries} retries in total; "
            "the servers handled the other faults without a retry of the dispatcher."
        )
        self.say(f"{tally.repeated} predictions arrived twice, each time identical: readers keep one.")
        wrong = [
            f"{len(tally.lost)} lost" if tally.lost else "",
            f"{tally.differing} arrived twice and differ" if tally.differing else "",
            f"{refused} refused" if refused else "",
            f"{unfinished} not finished" if unfinished else "",
        ]
        found = ", ".join(each for each in wrong if each)
        verdict = (
            f"{tally.due} predictions expected, {tally.arrived} on the stream: {found or 'nothing lost'}."
        )
        self._console.print(Text(verdict, style="red" if found else "green"))
        for model_name, wiki_id, rev_id, kind in tally.lost:
            self.say(f"  lost: {wiki_id} {rev_id} ({kind}, {model_name})")


def _named(event: Mapping[str, Any], model_name: str) -> str:
    return f"{event['wiki_id']} {event['revision']['rev_id']} ({model_name.removeprefix('revertrisk-')})"


def _key(event: Mapping[str, Any]) -> RevisionKey:
    return event["wiki_id"], event["revision"]["rev_id"]


def _risk(probability: float | None) -> Text:
    """Draw a probability as a bar and a number, or a dash if there is none."""
    if probability is None:
        return Text(f"{'-':<{COLUMN_WIDTH}}", style="dim")
    filled = round(probability * BAR_WIDTH)
    bar = "█" * filled + "·" * (BAR_WIDTH - filled)
    colour = next(colour for threshold, colour in RISK_COLOURS if probability >= threshold)
    return Text(f"{bar} {probability:5.3f} ", style=colour)
