#!/usr/bin/env python3
"""GaLore by its own package, from the weights that sward-train starts with and on its batches.

  perf/quality/galore.py 60m.toml --weights start --set grass.rank=128 --set "output.directory='run'"

Takes a configuration of sward-train and writes the same metrics.jsonl. Of [grass] it reads rank, refresh_interval and scale.
Weights are float, products bfloat16 (autocast). Needs PyTorch with a GPU, and PyPI's transformers, h5py and galore-torch.
"""

import argparse
import json
import math
import sys
import time
import tomllib
import types
from pathlib import Path

import h5py
import numpy
import torch
from torch.nn import functional
from transformers import LlamaForCausalLM

PROJECTED = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("configuration", type=Path)
    parser.add_argument("--weights", type=Path, required=True, help="folder that sward-convert made")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="as with sward-train")
    return parser.parse_args()


def read_configuration(path, settings):
    configuration = tomllib.loads(path.read_text())
    for setting in settings:
        key, text = setting.split("=", 1)
        table, name = key.split(".")
        try:
            value = tomllib.loads(f"value = {text}")["value"]
        except tomllib.TOMLDecodeError:
            value = text
        configuration.setdefault(table, {})[name] = value
    return configuration


def galore_adamw():
    """The optimizer class. Its package also imports an 8-bit one, which alone needs bitsandbytes and is not used here."""
    for name in ("bitsandbytes", "bitsandbytes.optim", "bitsandbytes.optim.optimizer"):
        sys.modules.setdefault(name, types.ModuleType(name))
    sys.modules["bitsandbytes.optim.optimizer"].Optimizer2State = object
    from galore_torch.adamw import AdamW
    return AdamW


def philox(counter, key):
    """Philox 4x32 with ten rounds: four columns of 32-bit words, as uint64, for each row of counters."""
    c0, c1, c2, c3 = (column.astype(numpy.uint64) for column in counter)
    k0, k1 = key
    low = numpy.uint64(0xFFFFFFFF)
    for _ in range(10):
        a, b = numpy.uint64(0xD2511F53) * c0, numpy.uint64(0xCD9E8D57) * c2
        c0, c1, c2, c3 = (b >> numpy.uint64(32)) ^ c1 ^ numpy.uint64(k0), b & low, (a >> numpy.uint64(32)) ^ c3 ^ numpy.uint64(k1), a & low
        k0, k1 = (k0 + 0x9E3779B9) & 0xFFFFFFFF, (k1 + 0xBB67AE85) & 0xFFFFFFFF
    return c0, c1, c2, c3


def shuffled_indices(count, seed):
    """The first epoch's order of a run's first token file, as in src/data/Sward_EpochOrder.cpp."""
    places = numpy.arange(count + 1)
    zero = numpy.zeros_like(places)
    words = philox((places, zero, zero, zero + 0x73687566), (seed & 0xFFFFFFFF, seed >> 32))
    draws = [(int(high) << 32 | int(low)) for low, high in zip(words[0], words[1])]
    indices = list(range(count))
    for i in range(count, 1, -1):
        j = draws[i] * i >> 64
        indices[i - 1], indices[j] = indices[j], indices[i - 1]
    return numpy.array(indices)


def read_tokens(path):
    with h5py.File(path) as file:
        return torch.from_numpy(file["tokens"][:].astype(numpy.int32)).cuda()


def sequences(tokens, indices, length):
    """Inputs and targets of the sequences of these numbers."""
    places = torch.as_tensor(indices, device=tokens.device)[:, None] * length + torch.arange(length + 1, device=tokens.device)
    block = tokens[places].long()
    return block[:, :-1].contiguous(), block[:, 1:].contiguous()


def learning_rate(schedule, base, step):
    warmup, steps = schedule.get("warmup_steps", 0), schedule["steps"]
    progress = min(max((step - warmup) / max(1, steps - warmup), 0), 1)
    last = schedule.get("final_fraction", 0.1)
    factor = last + (1 - last) * 0.5 * (1 + math.cos(math.pi * progress))
    return base * (min((step + 1) / warmup, factor) if warmup else factor)


def make_optimizer(model, configuration):
    options, grass = configuration["optimizer"], configuration["grass"]
    matrices = [parameter for name, parameter in model.named_parameters() if name.split(".")[-2] in PROJECTED]
    chosen = set(map(id, matrices))
    others = [parameter for parameter in model.parameters() if id(parameter) not in chosen]
    projected = {"params": matrices, "rank": grass["rank"], "update_proj_gap": grass.get("refresh_interval", 200),
                 "scale": grass.get("scale", 0.25), "proj_type": "std"}
    return galore_adamw()([{"params": others}, projected], lr=options["learning_rate"], betas=tuple(options.get("betas", (0.9, 0.999))),
                          eps=options.get("epsilon", 1e-8), weight_decay=options.get("weight_decay", 0.0), no_deprecation_warning=True)


@torch.no_grad()
def validation_loss(loss_sum, tokens, length, micro):
    count = (len(tokens) - 1) // length
    total = sum(loss_sum(*sequences(tokens, numpy.arange(first, min(count, first + micro)), length)).item()
                for first in range(0, count, micro))
    return total / (count * length)


def train(configuration, weights):
    data, batch, schedule = configuration["data"], configuration["batch"], configuration["schedule"]
    length, size = data["sequence_length"], batch["sequences"]
    train_tokens, validation_tokens = read_tokens(data["train"]), read_tokens(data["validation"])
    order = shuffled_indices((len(train_tokens) - 1) // length, configuration.get("run", {}).get("seed", 0))
    model = LlamaForCausalLM.from_pretrained(weights, dtype=torch.float32, attn_implementation="sdpa").cuda()
    optimizer = make_optimizer(model, configuration)
    clip = configuration["optimizer"].get("clip", 0.0)
    interval = configuration["output"].get("evaluation_interval", 0)

    @torch.compile
    def loss_sum(inputs, targets):
        with torch.autocast("cuda", torch.bfloat16):
            logits = model(input_ids=inputs, use_cache=False).logits
        return functional.cross_entropy(logits.float().flatten(0, 1), targets.flatten(), reduction="sum")

    directory = Path(configuration["output"]["directory"])
    directory.mkdir(parents=True, exist_ok=True)
    with (directory / "metrics.jsonl").open("w") as metrics:
        for step in range(schedule["steps"]):
            begin = time.monotonic()
            inputs, targets = sequences(train_tokens, order[step * size:(step + 1) * size], length)
            loss = loss_sum(inputs, targets) / targets.numel()
            loss.backward()
            if clip:
                torch.nn.utils.clip_grad_norm_(model.parameters(), clip)
            for group in optimizer.param_groups:
                group["lr"] = learning_rate(schedule, configuration["optimizer"]["learning_rate"], step)
            optimizer.step()
            optimizer.zero_grad()
            entry = {"step": step + 1, "loss": loss.item(), "tokens": (step + 1) * size * length}
            entry |= {"step_seconds": time.monotonic() - begin,
                      "refreshed": step % configuration["grass"].get("refresh_interval", 200) == 0,
                      "device_memory_bytes": torch.cuda.max_memory_reserved()}
            metrics.write(json.dumps(entry) + "\n")
            if step + 1 == schedule["steps"] or interval and (step + 1) % interval == 0:
                loss = validation_loss(loss_sum, validation_tokens, length, batch["micro"])
                metrics.write(json.dumps({"step": step + 1, "validation_loss": loss}) + "\n")


def main():
    arguments = parse_arguments()
    torch.backends.cuda.matmul.allow_tf32 = True
    train(read_configuration(arguments.configuration, arguments.set), arguments.weights)


if __name__ == "__main__":
    main()
