"""docs/performance.md: a part for each run.py, between two markers."""

import os


def replace(path, part, text):
    """Put `text` between the part's markers; a part that is not there yet goes to the end."""
    begin, end = f"<!-- {part}: begin -->", f"<!-- {part}: end -->"
    with open(path, encoding="utf-8") as file:
        content = file.read()
    block = f"{begin}\n\n{text.strip()}\n\n{end}"
    if begin in content:
        before, _, rest = content.partition(begin)
        _, _, after = rest.partition(end)
        content = before + block + after
    else:
        content = f"{content.rstrip()}\n\n{block}\n"
    with open(path, "w", encoding="utf-8") as file:
        file.write(content)
    print("wrote", os.path.relpath(path))
