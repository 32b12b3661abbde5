"""The table of clusters in a real browser."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from daskstem.view import html

BROWSER = shutil.which("chromium") or shutil.which("google-chrome")
SIZES = [30.0, 4.0, 1200.0, float("nan")]


def opened(tmp_path: Path, script: str) -> str:
    """Return the page's table after a script has run in it."""
    if BROWSER is None:
        pytest.skip("no chromium here: apt-get install chromium")
    rows = [[html.Cell("a picture", png=b""), html.Cell(f"{size:,.0f}", size)] for size in SIZES]
    table = html.sortable(["Pattern", "Positions"], rows, label="clusters")
    page = tmp_path / "page.html"
    page.write_text(html.document("t", [table]) + f"<script>{script}</script>", encoding="utf-8")
    command = [
        BROWSER, "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run",
        "--disable-background-networking", f"--user-data-dir={tmp_path / 'profile'}",
        "--dump-dom", page.as_uri(),
    ]  # fmt: skip
    found = subprocess.run(command, check=True, capture_output=True, text=True, timeout=120)
    return re.sub(r"<script>.*?</script>", "", found.stdout, flags=re.DOTALL)


def order(page: str) -> list[str]:
    return re.findall(r"<td data-v=[^>]*>([^<]*)</td>", page)


def test_a_click_sorts_downwards_and_another_upwards(tmp_path: Path) -> None:
    click = 'document.querySelectorAll(".by")[0].click();'
    down = opened(tmp_path, click)
    assert order(down) == ["1,200", "30", "4", "nan"]
    assert 'aria-sort="descending"' in down
    up = opened(tmp_path, click * 2)
    assert order(up) == ["nan", "4", "30", "1,200"]
    assert 'aria-sort="ascending"' in up


def test_the_keyboard_sorts_too_and_pictures_do_not(tmp_path: Path) -> None:
    press = (
        'const by = document.querySelectorAll(".by"); if (by.length !== 1) throw 0;'
        'by[0].dispatchEvent(new KeyboardEvent("keydown", {key: "Enter"}));'
    )
    assert order(opened(tmp_path, press)) == ["1,200", "30", "4", "nan"]


def test_without_a_script_the_table_is_as_it_was_written(tmp_path: Path) -> None:
    assert order(opened(tmp_path, "")) == ["30", "4", "1,200", "nan"]
