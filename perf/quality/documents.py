#!/usr/bin/env python3
"""Writes documents of Debian packages as JSON lines to standard output, for sward-tokenize: entries of a dictionary, files
of documentation in reStructuredText, and files of C. Directives and marks stay as they are; control characters go.

Usage: documents.py [--dictionary gcide.txt] [--text FOLDER] [--code FOLDER] [--code-share SHARE]
"""

import argparse
import gzip
import hashlib
import json
import sys
from pathlib import Path

CONTROL = {c: None for c in range(32) if chr(c) not in "\n\t"}


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dictionary", type=Path, help="entries with empty lines between them")
    parser.add_argument("--text", type=Path, help="folder of .rst, .txt and .rst.gz files")
    parser.add_argument("--code", type=Path, help="folder of .c and .h files")
    parser.add_argument("--code-share", type=float, default=1.0, help="part of the code, by a hash of the path (default 1)")
    return parser.parse_args()


def dictionary_entries(path):
    with path.open(encoding="utf-8") as text:
        entry = []
        for line in text:
            if line.strip():
                entry.append(line)
            elif entry:
                yield "".join(entry)
                entry = []
        if entry:
            yield "".join(entry)


def files_of(folder, endings):
    return sorted(path for path in folder.rglob("*") if path.is_file() and path.name.endswith(endings))


def read_text(path):
    data = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    return data.decode("utf-8", errors="replace")


def share_of(path, folder):
    """A number from 0 to 1 that depends on the path below the folder alone."""
    digest = hashlib.sha256(str(path.relative_to(folder)).encode()).digest()
    return int.from_bytes(digest[:8], "big") / 2**64


def documents(arguments):
    if arguments.dictionary:
        yield from dictionary_entries(arguments.dictionary)
    if arguments.text:
        yield from map(read_text, files_of(arguments.text, (".rst", ".rst.gz", ".txt", ".txt.gz")))
    if arguments.code:
        for path in files_of(arguments.code, (".c", ".h")):
            if share_of(path, arguments.code) < arguments.code_share:
                yield read_text(path)


def main():
    for document in documents(parse_arguments()):
        text = document.translate(CONTROL).strip()
        if text:
            json.dump({"text": text}, sys.stdout, ensure_ascii=False)
            sys.stdout.write("\n")


if __name__ == "__main__":
    main()
