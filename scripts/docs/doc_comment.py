"""What a doc comment says, as Markdown: paragraphs, lists, links to what it names."""

import html
import re

# Where a function may be called from, as the headers mark it.
PLACES = re.compile(r"\[((?:loop|any|owner) thread|signal-safe)\]")
_TOKEN = re.compile(
    r"(?P<place>" + PLACES.pattern + r")"
    r"|(?P<code>`[^`]+`)"
    r"|(?P<call>[A-Za-z_][\w.:]*\([\w.,=* ]*\))"
    r"|(?P<errno>-E[A-Z]\w+)"
    r"|(?P<file>\w+\.h(?:pp)?\b)"
    r"|(?P<name>[A-Za-z_][\w:]*\w)"
    r"|(?P<other>.)",
    re.S,
)


def escape(text):
    return re.sub(r"([\\*_\[\]#|~])", r"\\\1", html.escape(text, quote=False))


def _link(name, links, page):
    """`name` as code, linked to where it is described unless that is nowhere."""
    target = links.get(name.partition("(")[0])
    if target is None or target == f"{page}#":
        return None
    file, _, anchor = target.partition("#")
    return f"[`{name}`]({'' if file == page else file}{'#' + anchor if anchor else ''})"


def inline(text, links, page=""):
    """One run of text. `links` maps names to "file#anchor", relative to the page's folder."""
    parts = []
    for match in _TOKEN.finditer(text):
        kind, token = match.lastgroup, match[0]
        if match["place"]:
            parts.append(f'<span class="place">{token[1:-1]}</span>')
        elif match["code"]:
            parts.append(_link(token.strip("`"), links, page) or token)
        elif match["call"]:
            parts.append(_link(token, links, page) or f"`{token}`")
        elif kind in ("errno", "file"):
            parts.append(_link(token, links, page) or f"`{token}`")
        elif kind == "name":
            linked = _link(token, links, page)
            # What looks like a name of C is shown as one.
            named = re.fullmatch(r"[A-Z]+_[A-Z_0-9]+|\w+_t", token)
            parts.append(linked or (f"`{token}`" if named else escape(token)))
        else:
            parts.append(escape(token))
    return "".join(parts)


def markdown(text, links, page=""):
    """A whole comment."""
    blocks = []
    for block in re.split(r"\n[ \t]*\n", text.strip("\n")):
        lines = block.splitlines()
        if all(line.startswith("    ") for line in lines):
            code = "\n".join(line[4:] for line in lines)
            if blocks and blocks[-1].endswith("\n```"):
                blocks[-1] = f"{blocks[-1][:-4]}\n\n{code}\n```"
            else:
                blocks.append(f"```cpp\n{code}\n```")
            continue
        items, rest = [], []
        for line in lines:
            if re.match(r"\s*- ", line):
                items.append([line.strip()[2:]])
            elif items:
                items[-1].append(line.strip())
            else:
                rest.append(line.strip())
        if rest:
            blocks.append(inline("\n".join(rest), links, page))
        if items:
            blocks.append("\n".join("- " + inline("\n  ".join(item), links, page) for item in items))
    return "\n\n".join(blocks)


def strip(comment):
    """The text of a /** ... */ or of /// lines, without the marks."""
    comment = comment.strip()
    if comment.startswith("/*"):
        comment = re.sub(r"^/\*[*!]?|\*/$", "", comment)
        lines = [re.sub(r"^\s*\* ?", "", line) for line in comment.splitlines()]
    else:
        lines = [re.sub(r"^\s*//[/!]?<? ?", "", line) for line in comment.splitlines()]
    return "\n".join(lines).strip()
