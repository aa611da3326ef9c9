"""The page of a study: Markdown with its tables, figures and where they come from."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from .durable.records import provenance, replace_file, write_json


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table."""
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines) + "\n"


def figure(name: str, caption: str) -> str:
    """A figure that lies beside the page, with its caption below."""
    return f"![{caption}]({name})\n\n*{caption}*\n"


def write_page(
    folder: Path,
    program: str,
    title: str,
    parts: Sequence[str],
    findings: dict[str, Any],
    config: dict[str, Any],
    seconds: float,
    *,
    name: str | None = None,
) -> None:
    """Write page.md for a reader and summary.json for a program.

    Args:
      folder: of the study, where its figures are already.
      program: the module that was started with `python -m`.
      title: the heading.
      parts: paragraphs, tables and figures, in order.
      findings: all that was measured, JSON-ready.
      config: what was asked for, JSON-ready.
      seconds: from the start of the command to here; a resumed study counts its last start.
      name: under which it is recorded; by default that of the module.
    """
    origin = provenance(program)
    changed = ", with uncommitted changes" if origin["uncommitted_changes"] else ""
    versions = ", ".join(f"{name} {v}" for name, v in origin["versions"].items())
    settings = ", ".join(f"{name} = {value}" for name, value in config.items())
    footer = (
        f"Made by `{origin['command']}` at commit {origin['commit'][:12]}{changed}, in "
        f"{seconds:.0f} s on {origin['device']} ({origin['cores']} cores); {versions}. "
        f"Settings: {settings}."
    )
    text = "\n".join([f"# {title}\n", *(f"{part.rstrip()}\n" for part in parts), footer, ""])
    replace_file(folder / "page.md", lambda partial: partial.write_text(text))
    write_json(
        folder / "summary.json",
        {
            "name": name or program.rpartition(".")[2],
            "status": "finished",
            "findings": findings,
            "config": config,
            "seconds": seconds,
            **origin,
        },
    )
