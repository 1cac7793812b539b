#!/usr/bin/env python3
"""Writes the entries of the dictionary in Debian's package dict-gcide as plain text.

Usage: gcide_text.py gcide.dict.dz > gcide.txt

One entry a paragraph, empty lines between entries. Taken out: the notices at the front, the braces of
cross-references, syllables between backslashes, pronunciations, and the tags that name an entry's source.
"""

import gzip
import re
import sys

SOURCE_TAG = re.compile(r"\s*\[(?:1913 Webster|PJC|WordNet [^\]]*|Webster [^\]]*|AS|RP|RDH|Century Dict[^\]]*|[^\]]*\+[^\]]*)\]")
SYLLABLES = re.compile(r"\s*\\[^\\\n]*\\")
PRONUNCIATION = re.compile(r"\s*\((?:[^()\n]*\[[^()\n]*|[^()\n]*[\"`*][^()\n]*)\)")
SPACES = re.compile(r"[ \t]+")


def entries(lines):
    """Groups of lines: a headword stands at the margin, what belongs to it is indented or empty."""
    entry = []
    for line in lines:
        if line.strip() and not line.startswith((" ", "\t")) and entry:
            yield entry
            entry = []
        entry.append(line)
    if entry:
        yield entry


def cleaned(entry):
    """One paragraph of text from an entry; empty for the notices, which have no syllables in their first line."""
    if "\\" not in entry[0]:
        return ""
    head = PRONUNCIATION.sub("", SYLLABLES.sub("", "".join(entry[:2])))
    text = SOURCE_TAG.sub("", head + "".join(entry[2:])).replace("{", "").replace("}", "")
    paragraphs = re.split(r"\n\s*\n", text)
    lines = (SPACES.sub(" ", paragraph.replace("\n", " ")).strip() for paragraph in paragraphs)
    return "\n".join(line for line in lines if line)


def main():
    if len(sys.argv) != 2 or sys.argv[1].startswith("-"):
        print(__doc__.strip())
        return 0 if "--help" in sys.argv else 2
    sys.stdout.reconfigure(encoding="utf-8")
    with gzip.open(sys.argv[1], "rt", encoding="utf-8", errors="replace") as dictionary:
        for entry in entries(dictionary):
            text = cleaned(entry)
            if text:
                print(text, end="\n\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
