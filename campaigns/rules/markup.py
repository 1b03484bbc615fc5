"""The few marks a template's body has, read into blocks: paragraphs, `# ` titles, `- ` lists, one `[button] `.

Everything else is text; nothing that staff write becomes markup of a page.
"""

import re
from dataclasses import dataclass

BUTTON = re.compile(r"^\[(?P<said>[^\[\]]{1,60})\]$")
BOLD = re.compile(r"\*([^*\n]+)\*")


@dataclass(frozen=True, slots=True)
class Block:
    """Hold one block: `title`, `text`, `list`, `figure` or `button`, and its lines."""

    kind: str
    lines: tuple[str, ...]


def read(body: str) -> tuple[Block, ...]:
    """Read a body into its blocks."""
    blocks = []
    for part in re.split(r"\n\s*\n", body.replace("\r\n", "\n").strip()):
        lines = tuple(line.strip() for line in part.split("\n") if line.strip())
        if not lines:
            continue
        if len(lines) == 1 and (button := BUTTON.match(lines[0])):
            blocks.append(Block("button", (button["said"].strip(),)))
        elif len(lines) == 1 and lines[0].startswith("# "):
            blocks.append(Block("title", (lines[0][2:].strip(),)))
        elif len(lines) == 1 and lines[0].startswith("= "):
            blocks.append(Block("figure", (lines[0][2:].strip(),)))
        elif all(line.startswith("- ") for line in lines):
            blocks.append(Block("list", tuple(line[2:].strip() for line in lines)))
        else:
            blocks.append(Block("text", lines))
    return tuple(blocks)
