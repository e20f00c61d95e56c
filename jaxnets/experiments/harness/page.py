"""A page of experiments: one HTML file that needs nothing else, with the pictures beside it."""

import platform
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path

import jax

from jaxnets.experiments.harness.output import written
from jaxnets.experiments.harness.report import Report

__all__ = ["Entry", "write_page"]

HEAD = """<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><title>jaxnets experiments</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<style>
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem;
       color: #111; background: #fff; }
h2 { margin-top: 3rem; border-top: 1px solid #bbb; padding-top: 1rem; }
img { max-width: 100%; height: auto; }
table { border-collapse: collapse; }
th, td { text-align: left; padding: 0.2rem 1rem 0.2rem 0; border-bottom: 1px solid #ddd; }
td.number { text-align: right; font-variant-numeric: tabular-nums; }
pre { overflow-x: auto; background: #f4f4f4; padding: 0.8rem; font-size: 0.85rem; }
.missed { font-weight: bold; text-decoration: underline; }
</style></head><body>
<h1>jaxnets experiments</h1>"""


@dataclass(frozen=True)
class Entry:
    """One run as the page shows it.

    Attributes:
      name: What tells it from the others.
      summary: One line on what it shows.
      report: Its report, or None if it failed.
      text: The report as a person reads it.
      command: The command that runs it alone.
      seconds: Wall time of all of it, pictures included.
      error: The traceback, if it failed.
    """

    name: str
    summary: str
    report: Report | None = None
    text: str = ""
    command: str = ""
    seconds: float = 0.0
    error: str = ""

    @property
    def success(self) -> bool:
        """True if it ran and met its criterion."""
        return self.report is not None and self.report.success

    @property
    def verdict(self) -> str:
        """The outcome in a word."""
        return "failed" if self.report is None else "met" if self.success else "missed"


def write_page(folder: Path, entries: Sequence[Entry]) -> Path:
    """Write ``index.html`` into ``folder``, where the pictures are; returns its path."""
    met = sum(entry.success for entry in entries)
    # The numbers depend on the versions and the platform.
    python, system = platform.python_version(), f"{platform.system()} {platform.machine()}"
    environment = f"JAX {jax.__version__} on {jax.default_backend()}, Python {python}, {system}."
    parts = [
        HEAD,
        f"<p>{met} of {len(entries)} runs met their criterion, each with the defaults of its "
        f"command. {escape(environment)}</p>",
        "<table>",
        "<tr><th>run</th><th>criterion</th><th>what it shows</th></tr>",
        *(
            f'<tr><td><a href="#{entry.name}">{entry.name}</a></td>{_verdict(entry, "td")}'
            f"<td>{escape(entry.summary)}</td></tr>"
            for entry in entries
        ),
        "</table>",
        *(line for entry in entries for line in _section(entry)),
        "</body></html>",
    ]
    with written(folder) as stage:
        (stage / "index.html").write_text("\n".join(parts) + "\n", encoding="utf-8")
    return folder / "index.html"


def _verdict(entry: Entry, tag: str) -> str:
    return f'<{tag} class="{entry.verdict}">{entry.verdict}</{tag}>'


def _section(entry: Entry) -> list[str]:
    """One experiment from its summary, with its single numbers in a table, to what it prints."""
    summary, report = escape(entry.summary), entry.report
    head = [f'<section id="{entry.name}"><h2>{entry.name}</h2>', f"<p>{summary}</p>"]
    if report is None:
        return [*head, f"<p>It failed:</p><pre>{escape(entry.error)}</pre></section>"]
    return [
        *head,
        f"<p>Criterion: {escape(report.criterion)}: {_verdict(entry, 'span')}.</p>",
        f'<p><img src="{entry.name}.png" alt="{summary}"></p>',
        "<table>",
        *(
            f'<tr><td>{escape(name)}</td><td class="number">{value:.6g}</td></tr>'
            for name, value in report.metrics.items()
            if isinstance(value, int | float)
        ),
        "</table>",
        f"<p><code>{escape(entry.command)}</code>; {entry.seconds:.1f} s, picture included. "
        f'Files: <a href="{entry.name}/">{entry.name}/</a></p>',
        f"<details><summary>What it prints</summary><pre>{escape(entry.text)}</pre></details>",
        "</section>",
    ]
