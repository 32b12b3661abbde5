"""Small pieces of a web page; every text that goes in is escaped here."""

import base64
import html
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

STYLE: Final = r"""
:root { color-scheme: light; }
body { font: 16px/1.5 "Source Sans 3", "Segoe UI", "Helvetica Neue", Arial, sans-serif;
  color: #1d2026; background: #fff; max-width: 1180px; margin: 0 auto; padding: 28px 24px 60px; }
h1 { font-size: 1.75rem; line-height: 1.2; margin: 0 0 .2em; overflow-wrap: anywhere; }
h2 { font-size: 1.25rem; margin: 2.2em 0 .5em; padding-top: .5em; border-top: 2px solid #1d2026; }
h3 { font-size: 1rem; margin: 1.4em 0 .4em; }
p, li { max-width: 46em; }
p.lead { font-size: 1.06rem; }
.quiet { color: #5a606b; font-size: .9rem; }
.missing { background: #fbf3dc; border-left: 4px solid #c99700; padding: .5em .9em; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; margin: .6em 0 1em; }
th, td { text-align: left; vertical-align: top; padding: .28em 1.1em .28em 0;
  border-bottom: 1px solid #dcdfe4; }
thead th { border-bottom: 1.5px solid #1d2026; font-size: .9rem; }
tbody th { font-weight: 600; white-space: nowrap; }
table.numbers { font-size: .84rem; width: 100%; }
table.numbers td, table.numbers thead th { text-align: right; padding: .3em 0 .3em .9em; }
table.numbers td { white-space: nowrap; }
table.numbers td:first-child, table.numbers thead th:first-child { text-align: left;
  padding-left: 0; }
table.provenance { font-size: .85rem; }
table.provenance td { font-family: ui-monospace, "DejaVu Sans Mono", monospace;
  font-size: .78rem; }
table.provenance td:nth-child(4) { white-space: nowrap; }
table.provenance td:nth-child(3) { overflow-wrap: anywhere; }
table.sortable .by { cursor: pointer; }
table.sortable .by:focus-visible { outline: 2px solid #1b4f9c; outline-offset: 2px; }
table.sortable th[aria-sort="ascending"] .by::after { content: " \25B2"; font-size: .7em; }
table.sortable th[aria-sort="descending"] .by::after { content: " \25BC"; font-size: .7em; }
table.sortable td { vertical-align: middle; }
table.sortable img { display: block; width: 48px; height: auto; image-rendering: pixelated; }
.caution { border-left: 4px solid #a35200; background: #fdf5ec; padding: .45em .9em;
  margin: .6em 0; max-width: 60em; break-inside: avoid; }
.caution p { margin: .15em 0; max-width: none; }
.step { margin: 0; padding: .9em 0 1.2em; border-bottom: 1px solid #dcdfe4; }
.step h3 { margin: 0 0 .1em; }
.step p { margin: .3em 0; }
.step .told { display: grid; gap: 22px;
  grid-template-columns: minmax(0, 1fr) minmax(0, 2fr); }
.step .told .pictures { grid-template-columns: repeat(2, minmax(0, 1fr)); }
.scroll { max-height: 40em; overflow: auto; border-bottom: 1px solid #dcdfe4; }
.scroll thead th { position: sticky; top: 0; background: #fff; z-index: 1;
  box-shadow: inset 0 -1.5px #1d2026; }
.opening { display: grid; grid-template-columns: 5fr 6fr; gap: 40px; align-items: start; }
.opening p.lead { margin-top: .35em; }
.opening table { width: 100%; margin: 0; font-size: .92rem; }
.pictures { display: grid; grid-template-columns: repeat(3, minmax(0, 1fr)); gap: 18px 22px;
  align-items: start; }
.legend .key { white-space: nowrap; margin-right: 1.1em; }
.legend i { display: inline-block; width: .95em; height: .95em; margin-right: .4em;
  vertical-align: -.1em; border: 1px solid #1d2026; print-color-adjust: exact; }
figure { margin: 0; break-inside: avoid; }
figure.double { grid-column: span 2; }
figure.wide { grid-column: 1 / -1; margin: .6em 0 1em; }
figure img { width: 100%; height: auto; display: block; }
figcaption { font-size: .86rem; line-height: 1.35; color: #3d434d; margin-top: .35em; }
figcaption b { color: #1d2026; }
pre { background: #f4f5f7; padding: .8em 1em; font-size: .82rem; line-height: 1.4;
  white-space: pre-wrap; overflow-wrap: anywhere; }
@media screen and (max-width: 760px) {
  .pictures, .opening, .step .told, .step .told .pictures { grid-template-columns: 1fr; }
}
@media print {
  @page { size: A4; margin: 14mm 12mm; }
  table.sortable tbody tr:nth-child(n+61) { display: none; }
  table.sortable img { width: 30px; }
  table.numbers { font-size: 7.5pt; }
  .opening { grid-template-columns: 1fr; gap: 10px; }
  .scroll { max-height: none; overflow: visible; border: 0; }
  .scroll thead th { position: static; box-shadow: none; }
  thead { display: table-header-group; }
  html { font-size: 9pt; }
  body { font-size: 10pt; max-width: none; padding: 0; }
  table.provenance td:nth-child(4) { white-space: normal; overflow-wrap: anywhere; }
  table.provenance td:nth-child(3) { min-width: 18em; }
  h2, h3 { break-after: avoid; }
  section.frame, .told, tr, p { break-inside: avoid; }
  .step { padding: .5em 0 .6em; }
  .step .told, .pictures { gap: 10px 14px; }
}
"""


SORTING: Final = """
for (const table of document.querySelectorAll("table.sortable")) {
  const head = [...table.tHead.rows[0].cells];
  head.forEach((th, column) => {
    if (!table.tBodies[0].rows[0]?.cells[column].dataset.v) return;
    const by = document.createElement("span");
    by.className = "by";
    by.tabIndex = 0;
    by.setAttribute("role", "button");
    by.textContent = th.textContent;
    th.replaceChildren(by);
    const sort = () => {
      const down = th.getAttribute("aria-sort") !== "descending";
      head.forEach(other => other.removeAttribute("aria-sort"));
      th.setAttribute("aria-sort", down ? "descending" : "ascending");
      const key = row => Number(row.cells[column].dataset.v);
      const rows = [...table.tBodies[0].rows];
      rows.sort((a, b) => down ? key(b) - key(a) : key(a) - key(b));
      table.tBodies[0].append(...rows);
    };
    by.addEventListener("click", sort);
    by.addEventListener("keydown", event => {
      if (event.key === "Enter" || event.key === " ") { event.preventDefault(); sort(); }
    });
  });
}
"""
"""Lets a click on a heading sort its table; without it the table is as it was written."""


@dataclass(frozen=True)
class Cell:
    """A table's cell: what is read, and the number to sort by; or a picture."""

    shown: str
    value: float | None = None
    png: bytes | None = None


def text(value: object) -> str:
    """Escape anything for the inside of an element or an attribute.

    Examples
    --------
    >>> text('<b title="x">')
    '&lt;b title=&quot;x&quot;&gt;'
    """
    return html.escape(str(value), quote=True)


def heading(level: int, title: str) -> str:
    """Return a heading."""
    return f"<h{level}>{text(title)}</h{level}>"


def paragraph(content: str, *, kind: str = "") -> str:
    """Return a paragraph; ``kind`` is a class of the style sheet."""
    return f"<p{_kind(kind)}>{text(content)}</p>"


def bullets(items: Iterable[str]) -> str:
    """Return a list."""
    return "<ul>" + "".join(f"<li>{text(item)}</li>" for item in items) + "</ul>"


def preformatted(content: str) -> str:
    """Return text for a terminal or a file, as it is."""
    return f"<pre>{text(content)}</pre>"


def facts(rows: Iterable[tuple[str, str]]) -> str:
    """Return a table of names and values."""
    body = "".join(
        f'<tr><th scope="row">{text(name)}</th><td>{text(value)}</td></tr>' for name, value in rows
    )
    return f"<table><tbody>{body}</tbody></table>"


def table(header: Sequence[str], rows: Iterable[Sequence[str]], *, kind: str = "") -> str:
    """Return a table with a header line."""
    head = "".join(f'<th scope="col">{text(name)}</th>' for name in header)
    body = "".join(
        "<tr>" + "".join(f"<td>{text(cell)}</td>" for cell in row) + "</tr>" for row in rows
    )
    return f"<table{_kind(kind)}><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def sortable(header: Sequence[str], rows: Iterable[Sequence[Cell]], *, label: str) -> str:
    """Return a table that a click on a heading sorts."""
    head = "".join(f'<th scope="col">{text(name)}</th>' for name in header)
    body = "".join("<tr>" + "".join(map(_cell, row)) + "</tr>" for row in rows)
    return (
        f'<div class="scroll" role="region" aria-label="{text(label)}" tabindex="0">'
        f'<table class="numbers sortable"><thead><tr>{head}</tr></thead>'
        f"<tbody>{body}</tbody></table></div>"
    )


def _cell(cell: Cell) -> str:
    if cell.png is not None:
        data = base64.b64encode(cell.png).decode("ascii")
        return f'<td><img alt="{text(cell.shown)}" src="data:image/png;base64,{data}"></td>'
    # what is not a number sorts below all numbers
    number = "" if cell.value is None else f"{cell.value:.9g}"
    value = "-1e99" if number == "nan" else number
    return f'<td data-v="{value}">{text(cell.shown)}</td>' if value else f"<td>{cell.shown}</td>"


def caution(title: str, sentences: Iterable[str]) -> str:
    """Return a warning: what was found in bold, then why it matters and what to do."""
    body = "".join(f"<p>{text(sentence)}</p>" for sentence in sentences)
    return f'<div class="caution"><p><b>{text(title)}</b></p>{body}</div>'


def step(title: str, words: Iterable[str], pictures: Sequence[str], below: Iterable[str]) -> str:
    """Return a step: words on the left with its pictures on the right, what is wide below."""
    told = f"<div>{heading(3, title)}{''.join(words)}</div>"
    if pictures:
        told = f'<div class="told">{told}{gallery(pictures)}</div>'
    return f'<div class="step">{told}{"".join(below)}</div>'


def picture(
    png: bytes, *, title: str, caption: str = "", wide: bool = False, double: bool = False
) -> str:
    """Return a picture, held in the page itself, with its caption; as wide as two, or all."""
    data = base64.b64encode(png).decode("ascii")
    words = f" {text(caption)}" if caption else ""
    width = "wide" if wide else "double" if double else ""
    told = text(f"{title}. {caption}".strip())
    return (
        f'<figure{_kind(width)}><img alt="{told}" src="data:image/png;base64,{data}">'
        f"<figcaption><b>{text(title)}.</b>{words}</figcaption></figure>"
    )


def gallery(pictures: Iterable[str]) -> str:
    """Return pictures side by side, three in a row on a screen and on paper."""
    return f'<div class="pictures">{"".join(pictures)}</div>'


def opening(paragraphs: Iterable[str], table_of_facts: str) -> str:
    """Return what the page begins with: words on the left, numbers on the right."""
    return f'<div class="opening"><div>{"".join(paragraphs)}</div>{table_of_facts}</div>'


def legend(colors: Iterable[tuple[str, str]]) -> str:
    """Return what the colors of a map mean, each a hexadecimal color and its meaning."""
    items = "".join(
        f'<span class="key"><i style="background:{text(color)}"></i>{text(name)}</span> '
        for color, name in colors
    )
    return f'<p class="legend">What moved: {items}</p>'


def section(parts: Iterable[str], *, kind: str = "") -> str:
    """Return a section; ``kind`` is a class of the style sheet."""
    return f"<section{_kind(kind)}>{''.join(parts)}</section>"


def document(title: str, parts: Iterable[str]) -> str:
    """Return the whole page: one file that asks nothing from any network."""
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{text(title)}</title><style>{STYLE}</style></head>\n"
        f"<body>{chr(10).join(parts)}<script>{SORTING}</script></body></html>\n"
    )


def _kind(kind: str) -> str:
    return f' class="{text(kind)}"' if kind else ""
