"""Tables of Markdown pages, read back."""

from pathlib import Path


def shown_in(page: Path, heading: str, head: str = "") -> list[dict[str, str]]:
    """The rows of the first table below a heading whose first head is `head`, or of the first table, by their heads."""
    section = page.read_text().partition(f"## {heading}\n")[2].partition("\n## ")[0]
    table: list[list[str]] = []
    for line in section[section.index(f"\n| {head}"):].strip().splitlines():
        if not line.startswith("|"):
            break
        table.append([cell.strip() for cell in line.split("|")[1:-1]])
    heads, _, *found = table
    return [dict(zip(heads, row, strict=True)) for row in found]
