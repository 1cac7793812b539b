#!/usr/bin/env python3
"""Turns JSON lines with text, or with prompt and response, into lines of tokens, with a Hugging Face tokenizer.

Usage: tokenize_hugging_face.py tokenizer.json BEGIN END < text.jsonl | \\
         sward-tokenize - --input-format jsonl --tokenizer none --vocab-size N --output tokens.h5

BEGIN and END are tokens of the vocabulary, such as "<|begin_of_text|>" and "<|end_of_text|>"; N is the model's
vocabulary size. Needs the package tokenizers.
"""

import json
import sys


def main():
    if len(sys.argv) != 4:
        print(__doc__.strip())
        return 0 if "--help" in sys.argv else 2
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(sys.argv[1])
    begin, end = (tokenizer.token_to_id(token) for token in sys.argv[2:])
    if begin is None or end is None:
        print("tokenize_hugging_face.py: BEGIN or END is not in the vocabulary", file=sys.stderr)
        return 2
    for line in sys.stdin:
        fields = json.loads(line)
        texts = [fields["text"]] if "text" in fields else [fields["prompt"], fields["response"]]
        first, *rest = (tokenizer.encode(text, add_special_tokens=False).ids for text in texts)
        document = {"input_ids": [begin] + first}
        if rest:
            document["loss_mask"] = [0] * (len(first) + 1) + [1] * (len(rest[0]) + 1)
            document["input_ids"] += rest[0] + [end]
        print(json.dumps(document))
    return 0


if __name__ == "__main__":
    sys.exit(main())
