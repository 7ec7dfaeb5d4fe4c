#!/usr/bin/env python3
"""Follows every link of a site that was built: links.py DIRECTORY

Inside the site: files and anchors. Nothing may be loaded from elsewhere.
"""

import pathlib
import sys
import urllib.parse
from html.parser import HTMLParser

# What a browser fetches by itself, and not when somebody follows it.
LOADED = {"script": "src", "img": "src", "link": "href", "iframe": "src"}


class Page(HTMLParser):
    """The anchors of a page, its links, and what it loads."""

    def __init__(self, text):
        super().__init__()
        self.anchors, self.links, self.loaded = set(), [], []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        attributes = dict(attributes)
        self.anchors.update(attributes[key] for key in ("id", "name") if attributes.get(key))
        if tag == "a" and attributes.get("href"):
            self.links.append(attributes["href"])
        elif tag in LOADED and attributes.get(LOADED[tag]):
            self.loaded.append(attributes[LOADED[tag]])


def main(folder):
    root = pathlib.Path(folder).resolve()
    # One page of everything, for printing: its anchors are those of many pages.
    site = {path: Page(path.read_text()) for path in root.rglob("*.html") if path.name not in ("print.html", "404.html")}
    wrong, count = [], 0
    for path, page in site.items():
        for link in page.links + page.loaded:
            parts = urllib.parse.urlsplit(link)
            if parts.scheme or parts.netloc:
                if link in page.loaded:
                    wrong.append(f"{path.relative_to(root)} loads {link}")
                continue
            count += 1
            target = (path.parent / urllib.parse.unquote(parts.path)).resolve() if parts.path else path
            if not target.exists():
                wrong.append(f"{path.relative_to(root)}: nothing at {link}")
            elif parts.fragment and target in site and urllib.parse.unquote(parts.fragment) not in site[target].anchors:
                wrong.append(f"{path.relative_to(root)}: no such place {link}")
    print("\n".join(wrong) or f"{len(site)} pages, {count} links")
    return 1 if wrong or not count else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
