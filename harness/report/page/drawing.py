"""SVG drawings as parts of an HTML page."""

import re
from xml.etree import ElementTree as Tree

from markupsafe import Markup

from benchmarks.errors import printable

# Of a point; more digits than these cannot be seen.
DIGITS = re.compile(r"(\.\d\d)\d+")
MEASURED = ("d", "x", "y", "cx", "cy", "width", "height", "points")
# These would say something of the whole page; the page's own style says it of drawings.
DROPPED = ("style", "metadata", "title")
# What XML has no place for, and what turns the text behind it around.
ORDERS = re.compile("[^\t\n\r -~\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]|[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")
REFERENCE = re.compile(r"(?<=url\(#)[^)]+(?=\))|(?<=^#).+")


def inlined(svg: str, prefix: str, words: str) -> Markup:
    """An <svg> element as a part of an HTML page: it scales with it, and is a picture that `words` describe.

    Ids that something refers to are numbered behind the prefix, the others are dropped; so are styles, each of which is said
    once. It is parsed and written anew, so that text in it is text, whatever it is made of.
    """
    root = Tree.fromstring(ORDERS.sub(lambda match: printable(match[0]), svg))
    for parent in list(root.iter()):
        for child in list(parent):
            if _local(child.tag) in DROPPED:
                parent.remove(child)
    elements = list(root.iter())
    used = {name for each in elements for value in each.attrib.values() for name in REFERENCE.findall(value)}
    known = {name: f"{prefix}-{i}" for i, name in enumerate(each.get("id", "") for each in elements) if name in used}
    styles: dict[str, str] = {}
    for each in elements:
        each.tag, attributes = _local(each.tag), dict(each.attrib)
        each.attrib.clear()
        for name, value in attributes.items():
            value = REFERENCE.sub(lambda match: known.get(match[0], match[0]), value)
            if (short := _local(name)) == "style":
                each.set("class", styles.setdefault(value, f"{prefix}s{len(styles)}"))
            elif short != "id":
                each.set(short, DIGITS.sub(r"\1", value) if short in MEASURED else value)
            elif value in known:
                each.set("id", known[value])
        if each.tag != "text":
            each.text = (each.text or "").strip()
            for child in each:
                child.tail = ""
    for each in elements:
        _gather(each)
    box = root.get("viewBox", "0 0 1 1")
    width, height = box.split()[2:]
    root.attrib.clear()
    root.attrib.update({"viewBox": box, "role": "img", "aria-label": printable(words),
                        "style": f"aspect-ratio: {width} / {height}"})
    sheet = Tree.Element("style")
    sheet.text = "".join(f".{name}{{{style}}}" for style, name in styles.items())
    root.insert(0, sheet)
    return Markup(Tree.tostring(root, encoding="unicode"))


def _gather(parent: Tree.Element) -> None:
    """One group for all children that one after another are clipped alike: each point of a cloud comes in a group of its own."""
    kept: list[Tree.Element] = []
    for child in parent:
        if kept and child.tag == kept[-1].tag == "g" and child.attrib == kept[-1].attrib and [*child.attrib] == ["clip-path"]:
            kept[-1].extend(child)
        else:
            kept.append(child)
    parent[:] = kept


def _local(name: str) -> str:
    return name.rpartition("}")[2]
