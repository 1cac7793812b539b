#!/usr/bin/env python3
"""Times sward-tokenize beside spm_encode and Hugging Face's tokenizers on the same text, a document a line.

  apt-get install sentencepiece && python3 -m venv build/peer && build/peer/bin/pip install tokenizers sentencepiece protobuf
  build/peer/bin/python perf/compare_tokenizers.py tokenizer.model text.txt

Empty lines are left out and the rest repeated up to --size. All have the same number of threads, but spm_encode, which
has one. The peers get --peer-size bytes only, because they are slow, and Sward the same once more. Printed are wall time,
processor time (on a shared machine the fairer one), peak memory, and for the peers how many times as long they take and
how many tokens more they make.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

BATCH_BYTES = 1 << 24


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path, help="SentencePiece model")
    parser.add_argument("text", type=Path, nargs="+", help="files of text")
    parser.add_argument("--bin", type=Path, default=Path("build/host-release/bin"), help="folder with sward-tokenize")
    parser.add_argument("--size", type=float, default=1e9, help="bytes of text for Sward (default 1e9)")
    parser.add_argument("--peer-size", type=float, default=1e8, help="bytes of text for the peers (default 1e8)")
    parser.add_argument("--threads", type=int, default=os.cpu_count(), help="threads (default: all cores)")
    parser.add_argument("--peer", nargs=2, help=argparse.SUPPRESS)
    return parser.parse_args()


def write_text(path, sources, size):
    """Line by line, because what this process holds would count as the peak memory of those that it starts."""
    written = 0
    with open(path, "wb") as file:
        while written < size:
            for source in sources:
                with open(source, "rb") as lines:
                    written += sum(file.write(line) for line in lines if line.strip() and file.tell() < size)
    return written


def write_hugging_face(model_file, path):
    """The same merges as a tokenizer.json: by score, each with all pairs of pieces that make it."""
    from sentencepiece import sentencepiece_model_pb2
    from tokenizers import Tokenizer, models, normalizers

    model = sentencepiece_model_pb2.ModelProto.FromString(model_file.read_bytes())
    number = {piece.piece: i for i, piece in enumerate(model.pieces)}
    ordinary = sorted((piece for piece in model.pieces if piece.type == 1), key=lambda piece: -piece.score)
    merges = []
    for piece in (piece.piece for piece in ordinary):
        pairs = [(piece[:i], piece[i:]) for i in range(1, len(piece))]
        merges += sorted((pair for pair in pairs if all(part in number for part in pair)),
                         key=lambda pair: (number[pair[0]], number[pair[1]]))
    tokenizer = Tokenizer(models.BPE(number, merges, unk_token="<unk>", byte_fallback=True))
    tokenizer.normalizer = normalizers.Sequence([normalizers.Prepend("\u2581"), normalizers.Replace(" ", "\u2581")])
    tokenizer.save(str(path))


def run_hugging_face(tokenizer_file, text):
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(tokenizer_file)
    tokens = 0
    with open(text, encoding="utf-8", newline="\n") as file:
        while lines := file.readlines(BATCH_BYTES):
            batch = tokenizer.encode_batch_fast([line.rstrip("\n") for line in lines], add_special_tokens=False)
            tokens += sum(len(encoding.ids) for encoding in batch)
    print(tokens)


def measure(command, environment=None):
    """Seconds, seconds of processors, peak memory in MB, and standard output of a command."""
    begin = time.perf_counter()
    process = subprocess.Popen([str(part) for part in command], stdout=subprocess.PIPE, text=True,
                               env={**os.environ, **(environment or {})})
    output = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    if status != 0:
        sys.exit(f"{command[0]} failed")
    return time.perf_counter() - begin, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1e3, output


def measure_spm(arguments, text, folder):
    ids = folder / "ids.txt"
    *costs, _ = measure(["spm_encode", f"--model={arguments.model}", "--output_format=id", f"--input={text}",
                                  f"--output={ids}"])
    with open(ids, "rb") as file:
        return *costs, sum(len(line.split()) for line in file)


def measure_sward(arguments, text, folder):
    *costs, output = measure([arguments.bin / "sward-tokenize", text, "--tokenizer", arguments.model,
                                       "--split-documents", "line", "--threads", arguments.threads, "--output",
                                       folder / "tokens.h5", "--force"])
    words = output.split()
    return *costs, int(words[3]) - int(words[1])  # without begin tokens


def measure_hugging_face(arguments, text, folder):
    itself = [sys.executable, __file__, arguments.model, text, "--peer"]
    subprocess.run([*itself, "write", folder / "tokenizer.json"], check=True)
    *costs, output = measure([*itself, "encode", folder / "tokenizer.json"],
                             {"RAYON_NUM_THREADS": str(arguments.threads), "TOKENIZERS_PARALLELISM": "true"})
    return *costs, int(output)


def report(name, size, result, sward):
    """One line; how many times as fast Sward is, by wall and by processor time, and other tokens, if it is a peer."""
    seconds, processor, memory, tokens = result
    print(f"{name:24}{size / 1e6:8.0f} MB{seconds:9.1f} s{processor:9.1f} CPU s{size / seconds / 1e6:8.2f} MB/s"
          f"{memory:8.0f} MB peak", end="")
    if sward:
        print(f"{seconds / sward[0]:8.1f} x wall{processor / sward[1]:8.1f} x CPU{tokens - sward[3]:+d} tokens", end="")
    print(flush=True)


def main():
    arguments = parse_arguments()
    if arguments.peer:
        action, tokenizer_file = arguments.peer
        if action == "write":
            return write_hugging_face(arguments.model, tokenizer_file)
        return run_hugging_face(tokenizer_file, arguments.text[0])
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        size = write_text(folder / "all.txt", arguments.text, arguments.size)
        peer_size = write_text(folder / "peer.txt", arguments.text, arguments.peer_size)
        print(f"{arguments.threads} threads, load average {os.getloadavg()[0]:.1f} before the start")
        report("sward-tokenize", size, measure_sward(arguments, folder / "all.txt", folder), None)
        sward = measure_sward(arguments, folder / "peer.txt", folder)
        report("sward-tokenize", peer_size, sward, None)
        report("spm_encode, 1 thread", peer_size, measure_spm(arguments, folder / "peer.txt", folder), sward)
        report("Hugging Face tokenizers", peer_size, measure_hugging_face(arguments, folder / "peer.txt", folder), sward)


if __name__ == "__main__":
    main()
