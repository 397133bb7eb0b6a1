"""What the demo's screen writes where the output cannot show every sign."""

import io

import pytest
from rich.console import Console

from revertrisk.cli.demo.screen import Screen

EVENT = {
    "wiki_id": "hewiki",
    "revision": {"rev_id": 7},
    "page": {"page_title": "\u05e2\u05e5"},
    "predicted_classification": {"model_name": "m", "probabilities": {"true": 0.5}},
}


@pytest.mark.parametrize(
    ("encoding", "bar", "mark", "title"),
    [("utf-8", "\u2588" * 5 + "\u00b7" * 5, "\u26a1", "\u05e2\u05e5"), ("latin-1", "#####.....", "!", "??"),
     ("ascii", "#####.....", "!", "??")],
)  # fmt: skip
def test_an_output_of_few_signs(encoding: str, bar: str, mark: str, title: str) -> None:
    """T5: bars and marks have a form in ASCII; of a title, what the encoding lacks is a question mark."""
    out = io.BytesIO()
    screen = Screen(
        Console(file=io.TextIOWrapper(out, encoding, errors="replace", write_through=True)), ["m"]
    )
    screen.say("Starting \u2026")
    screen.say_fault("a fault")
    screen.show(EVENT)
    shown = out.getvalue().decode(encoding)
    assert f"{bar} 0.500" in shown
    assert f"{mark} a fault" in shown
    assert f"hewiki         {title} " in shown
