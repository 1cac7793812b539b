#!/usr/bin/env python3
"""Writes the nouns of WordNet (Debian's package wordnet-base) as JSON lines of prompt and response.

Usage: wordnet_pairs.py data.noun > pairs.jsonl

One line a word sense: {"prompt": "What is a dog?\\n", "response": "a member of the genus Canis ..."}. Of senses with
several words the first is asked for; examples, which follow the definition in quotation marks, are left out.
"""

import json
import sys


def main():
    if len(sys.argv) != 2 or sys.argv[1].startswith("-"):
        sys.exit(__doc__)
    with open(sys.argv[1], encoding="utf-8") as lines:
        for line in lines:
            if line.startswith(" ") or " | " not in line:  # the licence at the front
                continue
            fields, gloss = line.split(" | ", 1)
            word = fields.split()[4].replace("_", " ")
            definition = gloss.split('; "')[0].strip()
            print(json.dumps({"prompt": f"What is {word}?\n", "response": definition}, ensure_ascii=False))


if __name__ == "__main__":
    main()
