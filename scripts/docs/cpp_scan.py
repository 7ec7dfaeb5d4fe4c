"""Reads C++ headers: what they declare for their users, with the comments above.

This is no parser of C++. It follows comments, braces and parentheses, which is
enough for headers that are formatted as this project's are.
"""

import re
from dataclasses import dataclass, field


@dataclass
class Declaration:
    """kind is class, enum, function, alias, variable, macro or note (a comment by itself); the
    comment has its marks."""

    kind: str
    name: str
    signature: str
    comment: str
    members: list = field(default_factory=list)


_SPACE = re.compile(r"[ \t\r\n]*")
_COMMENT = re.compile(r"(?:[ \t]*//[^\n]*\n)+|/\*.*?\*/[ \t]*\n?", re.S)
_DIRECTIVE = re.compile(r"#(?:[^\n\\]|\\\n|\\.)*\n?")
_LITERAL = re.compile(r"\"(?:[^\"\\]|\\.)*\"|'(?:[^'\\\n]|\\.)'", re.S)
_ACCESS = re.compile(r"(public|private|protected):")
_HEAD = re.compile(r"(?P<template>template\s*<.*>\s*|typedef\s+)?(?P<key>class|struct|union|enum(?:\s+class)?)\s+"
                   r"(?:(?:COLOOP_\w+|\[\[.*?\]\]|alignas\(\w+\))\s+)*(?P<name>\w+(?:<.*>)?)\b", re.S)
# The head of a requires-expression, up to its brace.
_REQUIRES = re.compile(r"\brequires\s*(\((?:[^()]|\([^()]*\))*\)\s*)?$")
_OPEN, _CLOSE = "([{", ")]}"


def _skip(text, place):
    """The place behind the comment or literal that begins here, or None."""
    for pattern in (_COMMENT, _LITERAL) if text[place] in "/\"'" else ():
        if match := pattern.match(text, place):
            return match.end()
    return None


def _balanced(text, place):
    """The place behind the bracket that closes the one here."""
    depth = 0
    while place < len(text):
        if after := _skip(text, place):
            place = after
            continue
        depth += (text[place] in _OPEN) - (text[place] in _CLOSE)
        place += 1
        if depth == 0:
            return place
    raise ValueError("a bracket is not closed")


def _declaration(text, place):
    """Where the declaration's head ends, where its body begins (or None), where all of it ends."""
    start = place
    while place < len(text):
        after = _skip(text, place)
        if after:
            place = after
        elif text[place] in "([":
            place = _balanced(text, place)
        elif text[place] == ";":
            return place, None, place + 1
        elif text[place] == "{":
            head = text[start:place]
            # x{1} and requires { ... } belong to what is declared.
            if re.search(r"[\w>]$", head) or _REQUIRES.search(head):
                place = _balanced(text, place)
                continue
            end = _balanced(text, place)
            is_type = _HEAD.match(text[start:place].lstrip()) and "(" not in _HEAD.sub("", head.strip(), count=1)
            if is_type:
                return place, place, text.index(";", end) + 1
            return place, place, end
        else:
            place += 1
    raise ValueError(f"no end: {text[start:start + 60]!r}")


def _without(text, opening):
    """`text` without each run that begins with `opening`, a parenthesis, up to its end."""
    while (place := text.find(opening)) >= 0:
        text = text[:place].rstrip() + text[_balanced(text, place + len(opening) - 1 - opening[::-1].index("(")):]
    return text


def _signature(head):
    """A function's head on one line, without what only the compiler wants to know."""
    text = " ".join(_COMMENT.sub(" ", head).split())
    text = _without(text, "noexcept(")
    text = re.sub(r"\b(COLOOP_\w+|inline|\[\[nodiscard\]\]|explicit(?=\())\s", "", text)
    # A constructor's initialisers.
    depth = 0
    for place, character in enumerate(text):
        depth += (character in "(<") - (character in ")>" and text[place - 1] != "-")
        if depth == 0 and text[place:place + 3] == " : " and ")" in text[:place]:
            return text[:place].strip()
    return text.strip()


def _name(signature):
    """What a declaration declares: a name of its own scope, with the class before it if that is named."""
    text = re.sub(r"^(template\s*<(?:[^<>]|<(?:[^<>]|<[^<>]*>)*>)*>\s*)+", "", signature)
    if match := re.match(r"requires\s*(?=\()", text):
        text = text[_balanced(text, match.end()):].strip()
    if match := re.match(r"using (\w+) =|concept (\w+)", text):
        return match[1] or match[2], "alias"
    if match := re.match(r"[\w:<>*&, ]*?(\w+)(?:\[\w*\])? =", text):
        return match[1], "variable"
    if match := re.search(r"operator\s*(\(\)|[^\s\w(]+|[\w:<> ]+(?=\())", text):
        return "operator" + (" " if match[1][0].isalpha() else "") + match[1].strip(), "function"
    if match := re.search(r"((?:\w+(?:<[^<>]*>)?::)*~?\w+)\s*\(", text):
        return match[1], "function"
    match = re.search(r"(\w+)\s*(?:\[\w*\])?\s*(?:[={].*)?$", text)
    return match[1], "variable"


def scan(text, access="public"):
    """The declarations of a scope's text: what is in namespace detail or not public is left out."""
    found, place, comment, shown = [], 0, "", access == "public"
    while True:
        space = _SPACE.match(text, place)
        if comment and space[0].count("\n") >= 1 and text[place - 1:place] == "\n":
            found += [Declaration("note", "", "", comment)] if shown else []
            comment = ""
        place = space.end()
        if place == len(text):
            return found + ([Declaration("note", "", "", comment)] if comment and shown else [])
        if match := _COMMENT.match(text, place):
            if comment and shown:
                found.append(Declaration("note", "", "", comment))
            place, comment = match.end(), match[0]
            continue
        if match := _DIRECTIVE.match(text, place):
            define = re.match(r"#\s*define\s+(COLOOP_\w+)(\([^)]*\))?[ \t]", match[0])
            if define and comment:
                found.append(Declaration("macro", define[1], define[1] + (define[2] or ""), comment))
                comment = ""
            place = match.end()
            continue
        if match := _ACCESS.match(text, place):
            shown, place = match[1] == "public", match.end()
            continue
        if text[place] in ";}":
            place += 1
            continue
        if match := re.compile(r"(?:inline\s+)?namespace\s*([\w:]*)\s*\{|extern\s+\"C\"\s*\{").match(text, place):
            end = _balanced(text, match.end() - 1)
            if "detail" not in (match[1] or "coloop").split("::") and match[1] != "":
                found += scan(text[match.end():end - 1])
            place, comment = end, ""
            continue
        head_end, body, end = _declaration(text, place)
        head = text[place:head_end]
        if shown:
            found += _declared(head, text[body + 1:_balanced(text, body) - 1] if body else "", body, comment)
        place, comment = end, ""


def _declared(head, body, has_body, comment):
    head_match = _HEAD.match(head)
    flat = " ".join(head.split())
    if re.match(r"(friend|static_assert|namespace|extern template|template (class|struct)|#)\b", flat):
        return []
    if head_match and has_body is not None and "(" not in head[head_match.end():].split("{")[0].replace("alignas(", ""):
        name = head_match["name"]
        signature = re.sub(r"\bCOLOOP_\w+ |^typedef ", "", flat)
        if head_match["key"].startswith("enum"):
            values = " ".join(_COMMENT.sub(" ", body).split())
            return [Declaration("enum", name, f"{signature} {{ {values} }}", comment)]
        inner = "private" if head_match["key"] == "class" else "public"
        return [Declaration("class", name, signature, comment, scan(body, inner))]
    if head_match and has_body is None and "(" not in flat and "=" not in flat and " " not in flat[flat.index(head_match["name"]):]:
        return []  # declared here, described where it is defined
    signature = _signature(head)
    if "= delete" in flat and not comment:
        return []
    name, kind = _name(signature)
    if name.startswith("~") and not comment:
        return []
    return [Declaration(kind, name, signature, comment)]
