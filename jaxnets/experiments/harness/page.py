"""A page of experiments: one HTML file that needs nothing else, with the pictures beside it."""

import platform
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any

import jax

from jaxnets.experiments.harness.output import written
from jaxnets.experiments.harness.report import Report

__all__ = ["Entry", "write_page"]

STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem;
       color: #111; background: #fff; }
h2 { margin-top: 3rem; border-top: 1px solid #bbb; padding-top: 1rem; }
img { max-width: 100%; height: auto; }
table { border-collapse: collapse; }
th, td { text-align: left; padding: 0.2rem 1rem 0.2rem 0; border-bottom: 1px solid #ddd; }
td.number { text-align: right; font-variant-numeric: tabular-nums; }
pre { overflow-x: auto; background: #f4f4f4; padding: 0.8rem; font-size: 0.85rem; }
.missed { font-weight: bold; text-decoration: underline; }
"""


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
    parts = [
        "<!DOCTYPE html>",
        '<html lang="en"><head><meta charset="utf-8"><title>jaxnets experiments</title>',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        f"<style>{STYLE}</style></head><body>",
        "<h1>jaxnets experiments</h1>",
        f"<p>{met} of {len(entries)} runs met their criterion, each with the defaults of its "
        "command. "
        f"{escape(_environment())}</p>",
        _contents(entries),
        *map(_section, entries),
        "</body></html>",
    ]
    with written(folder) as stage:
        (stage / "index.html").write_text("\n".join(parts) + "\n", encoding="utf-8")
    return folder / "index.html"


def _environment() -> str:
    """The versions and the platform that the numbers depend on."""
    return (
        f"JAX {jax.__version__} on {jax.default_backend()}, Python {platform.python_version()}, "
        f"{platform.system()} {platform.machine()}."
    )


def _contents(entries: Sequence[Entry]) -> str:
    """A table with a link to every section."""
    rows = [
        f'<tr><td><a href="#{entry.name}">{entry.name}</a></td>{_verdict(entry, "td")}'
        f"<td>{escape(entry.summary)}</td></tr>"
        for entry in entries
    ]
    head = "<tr><th>run</th><th>criterion</th><th>what it shows</th></tr>"
    return "\n".join(["<table>", head, *rows, "</table>"])


def _verdict(entry: Entry, tag: str) -> str:
    return f'<{tag} class="{entry.verdict}">{entry.verdict}</{tag}>'


def _section(entry: Entry) -> str:
    """One experiment from its summary to its log."""
    head = [
        f'<section id="{entry.name}"><h2>{entry.name}</h2>',
        f"<p>{escape(entry.summary)}</p>",
    ]
    report = entry.report
    if report is None:
        return "\n".join([*head, f"<p>It failed:</p><pre>{escape(entry.error)}</pre></section>"])
    return "\n".join(
        [
            *head,
            f"<p>Criterion: {escape(report.criterion)}: {_verdict(entry, 'span')}.</p>",
            f'<p><img src="{entry.name}.png" alt="{escape(entry.summary, quote=True)}"></p>',
            _metrics(report.metrics),
            f"<p><code>{escape(entry.command)}</code>; {entry.seconds:.1f} s, picture included. "
            f'Files: <a href="{entry.name}/">{entry.name}/</a></p>',
            f"<details><summary>What it prints</summary><pre>{escape(entry.text)}</pre></details>",
            "</section>",
        ]
    )


def _metrics(metrics: dict[str, Any]) -> str:
    """The single numbers among the metrics in a table; what the run prints has the others."""
    rows = [
        f'<tr><td>{escape(name)}</td><td class="number">{value:.6g}</td></tr>'
        for name, value in metrics.items()
        if isinstance(value, int | float)
    ]
    return "\n".join(["<table>", *rows, "</table>"])
