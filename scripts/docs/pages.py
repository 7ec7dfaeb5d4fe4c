"""How the repository's Markdown becomes the site's: links, tabs, pictures."""

import html
import os
import re

FENCE = re.compile(r"^```.*?^```$", re.M | re.S)
LINK = re.compile(r"(!?)\[((?:[^\[\]]|\[[^\]]*\])*)\]\(([^()\s]+)\)")
TABS = re.compile(r"^<!-- tabs -->\n(.*?)^<!-- end tabs -->$", re.M | re.S)
ENTRY = re.compile(r"^( *(?:- )?)\[(.+)\]\(([^)]+)\)$", re.M)
LANGUAGES = {"c": "C", "cpp": "C++", "python": "Python"}


def outside_fences(text, change):
    """`text` with `change` applied to everything that is no block of code."""
    parts, place = [], 0
    for fence in FENCE.finditer(text):
        parts += [change(text[place:fence.start()]), fence[0]]
        place = fence.end()
    return "".join(parts) + change(text[place:])


def summary_pages(root):
    """The pages that docs/SUMMARY.md lists: paths in the repository."""
    return [resolve("docs/SUMMARY.md", match[3])[0] for match in ENTRY.finditer((root / "docs/SUMMARY.md").read_text())]


def site_path(repo_path):
    """Where a page of the repository stands on the site."""
    return re.sub(r"(^|/)README\.md$", r"\1index.md", repo_path.removeprefix("docs/"))


def links_of(text):
    """The targets of all links and pictures, outside code."""
    found = []
    outside_fences(text, lambda part: found.extend(match[3] for match in LINK.finditer(re.sub(r"`[^`\n]*`", "", part))) or part)
    return found


def resolve(page, target):
    """The path in the repository that a page's link leads to, and its anchor."""
    path, _, anchor = target.partition("#")
    return (os.path.normpath(os.path.join(os.path.dirname(page), path)) if path else page), anchor


def rewrite_links(page, text, where):
    """Links of the repository as links of the site; `where` maps a path of the
    repository to a path of the site."""
    def one(match):
        picture, label, target = match.groups()
        if picture or re.match(r"\w+:", target) or target.startswith("#"):
            return match[0]
        path, anchor = resolve(page, target)
        relative = os.path.relpath(where(path), os.path.dirname(site_path(page)) or ".")
        return f"[{label}]({relative}{'#' + anchor if anchor else ''})"
    return outside_fences(text, lambda part: LINK.sub(one, part))


def tabs(text):
    """What stands between the marks of tabs, as panels: one radio button for each
    language at the top of the page's first tabs chooses for the whole page."""
    first = True
    shown = [language for language in LANGUAGES
             if any(re.search(rf"^```{language}$", group[1], re.M) for group in TABS.finditer(text))]

    def panels(match):
        nonlocal first
        blocks = re.split(r"^(?=```(?:c|cpp|python)\b)", match[1], flags=re.M)
        lines = []
        if first:
            first = False
            lines += ['<div class="tab-choice" role="radiogroup" aria-label="Language of the programs">']
            for language in shown:
                checked = " checked" if language == "c" else ""
                lines.append(f'<input type="radio" name="language" id="language-{language}"{checked}>'
                             f'<label for="language-{language}">{LANGUAGES[language]}</label>')
            lines += ["</div>", ""]
        lines += ['<div class="tabs">', '<div class="tab-labels" aria-hidden="true">']
        lines += [f'<label for="language-{language}" class="tab-{language}">{LANGUAGES[language]}</label>'
                  for language in shown]
        lines += ["</div>", ""]
        for block in blocks:
            language = re.match(r"```(\w+)", block)
            if language:
                lines += [f'<div class="panel panel-{language[1]}">', "", block.strip(), "", "</div>", ""]
            elif block.strip():
                lines += [block.strip(), ""]
        return "\n".join([*lines, "</div>"])

    return TABS.sub(panels, text)


def pictures(page, text, read):
    """SVG files inside the page, so that they take the colours of its theme."""
    def one(match):
        if not match[1] or not match[3].endswith(".svg"):
            return match[0]
        drawing = read(resolve(page, match[3])[0])
        drawing = re.sub(r"<\?xml.*?\?>|<!--.*?-->|<style>.*?</style>\n?", "", drawing, flags=re.S).strip()
        drawing = re.sub(r"\n\s*\n", "\n", drawing)
        return drawing.replace("<svg ", f'<svg role="img" aria-label="{html.escape(match[2])}" ', 1)
    return outside_fences(text, lambda part: LINK.sub(one, part))


def headings(text):
    """The anchors that a page has: those of its headings, and those it sets itself."""
    found, counts = set(), {}
    plain = FENCE.sub("", text)
    found.update(re.findall(r'\b(?:id|name)="([^"]+)"', plain))
    for heading in re.findall(r"^#{1,6} +(.*?)\s*$", plain, re.M):
        shown = re.sub(r"[`*]|\[([^\]]*)\]\([^)]*\)", lambda match: match[1] or "", heading)
        shown = html.unescape(shown.replace("\\", ""))
        slug = "".join(c if c.isalnum() or c in "_-" else "-" if c.isspace() else "" for c in shown.lower())
        number = counts[slug] = counts.get(slug, -1) + 1
        found.add(f"{slug}-{number}" if number else slug)
    return found
