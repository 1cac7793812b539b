#!/usr/bin/env python3
"""Trains in PyTorch from the weights that sward-train starts with and on its batches: AdamW in full, Grass written anew,
GaLore by its own package, or LoRA by peft.

  perf/quality/peer.py galore 60m.toml --weights start --set grass.rank=128 --set "output.directory='run'"

Takes a configuration of sward-train and writes the same metrics.jsonl, and at each evaluation what it goes on from when it is
started again. Of [grass] Grass reads rank, refresh_interval, refresh_warmup and scale, and selects by top-r, which draws no
random numbers; GaLore the same without the warm-up, and LoRA rank alone, with alpha twice that. All work on the matrices that
Grass projects. Weights are float, products bfloat16 (autocast) where precision.compute is not "float". Needs PyTorch, PyPI's
transformers and h5py, and galore-torch or peft.
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
DEVICE = "cuda" if torch.cuda.is_available() else "cpu"
DOES_NOT_COUNT = -100  # as a target


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("method", choices=["adamw", "grass", "galore", "lora"])
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


def shuffled_indices(count, seed, epoch):
    """An epoch's order of a run's first token file, as in src/data/Sward_EpochOrder.cpp."""
    places = numpy.arange(count + 1)
    zero = numpy.zeros_like(places)
    words = philox((places, zero + epoch, zero, zero + 0x73687566), (seed & 0xFFFFFFFF, seed >> 32))
    draws = [(int(high) << 32 | int(low)) for low, high in zip(words[0], words[1])]
    indices = list(range(count))
    for i in range(count, 1, -1):
        j = draws[i] * i >> 64
        indices[i - 1], indices[j] = indices[j], indices[i - 1]
    return numpy.array(indices)


def read_tokens(path):
    """Inputs, and as targets the same tokens but for those that do not count."""
    with h5py.File(path) as file:
        tokens = file["tokens"][:].astype(numpy.int64)
        mask = file["loss_mask"][:] if "loss_mask" in file else numpy.ones_like(tokens)
    targets = numpy.where(mask != 0, tokens, DOES_NOT_COUNT)
    return torch.from_numpy(tokens).to(DEVICE), torch.from_numpy(targets).to(DEVICE)


def sequence_count(tokens, length):
    return (len(tokens[0]) - 1) // length


def sequences(tokens, indices, length):
    """Inputs and targets of the sequences of these numbers."""
    places = torch.as_tensor(indices, device=DEVICE)[:, None] * length + torch.arange(length, device=DEVICE)
    return tokens[0][places], tokens[1][places + 1]


class Batches:
    """The sequences of an update, in epochs of whole updates."""

    def __init__(self, tokens, length, size, seed):
        self.tokens, self.length, self.size, self.seed = tokens, length, size, seed
        self.updates = sequence_count(tokens, length) // size
        self.epoch = None

    def read(self, step):
        epoch, place = divmod(step, self.updates)
        if epoch != self.epoch:
            self.order, self.epoch = shuffled_indices(sequence_count(self.tokens, self.length), self.seed, epoch), epoch
        return sequences(self.tokens, self.order[place * self.size:(place + 1) * self.size], self.length)


def learning_rate(schedule, base, step):
    warmup, steps = schedule.get("warmup_steps", 0), schedule["steps"]
    progress = min(max((step - warmup) / max(1, steps - warmup), 0), 1)
    last = schedule.get("final_fraction", 0.1)
    factor = last + (1 - last) * 0.5 * (1 + math.cos(math.pi * progress))
    return base * (min((step + 1) / warmup, factor) if warmup else factor)


def adam_options(configuration):
    options = configuration["optimizer"]
    return {"lr": options["learning_rate"], "betas": tuple(options.get("betas", (0.9, 0.999))),
            "eps": options.get("epsilon", 1e-8), "weight_decay": options.get("weight_decay", 0.0)}


def others_and_projected(model):
    parameters = {True: [], False: []}
    for name, parameter in model.named_parameters():
        parameters[name.split(".")[-2] in PROJECTED].append(parameter)
    return parameters[False], parameters[True]


def galore_optimizer(model, configuration):
    grass = configuration["grass"]
    others, matrices = others_and_projected(model)
    projected = {"params": matrices, "rank": grass["rank"], "update_proj_gap": grass.get("refresh_interval", 200),
                 "scale": grass.get("scale", 0.25), "proj_type": "std"}
    return galore_adamw()([{"params": others}, projected], **adam_options(configuration), no_deprecation_warning=True)


class GrassTopR(torch.optim.Optimizer):
    """AdamW, in a group with a rank only on the rows that have the largest gradients at each refresh."""

    @torch.no_grad()
    def step(self):
        for group in self.param_groups:
            for parameter in group["params"]:
                self.update(group, parameter, parameter.grad, self.state[parameter])

    def update(self, group, weight, gradient, state):
        step = state["step"] = state.get("step", -1) + 1
        rows, since, rate = slice(None), step, group["lr"]
        if group["rank"]:
            if weight.shape[0] > weight.shape[1]:
                weight, gradient = weight.T, gradient.T
            since = step % group["refresh_interval"]
            if since == 0:
                state["rows"] = gradient.norm(dim=1).topk(group["rank"]).indices
            rows = state["rows"].long()  # load_state_dict makes numbers of the weight's type of them
            rate *= group["scale"] * min(1, (since + 1) / max(1, group["refresh_warmup"]))
        gradient = gradient[rows]
        if since == 0:
            state["first"], state["second"] = torch.zeros_like(gradient), torch.zeros_like(gradient)
        (beta1, beta2), first, second = group["betas"], state["first"], state["second"]
        first.lerp_(gradient, 1 - beta1)
        second.mul_(beta2).addcmul_(gradient, gradient, value=1 - beta2)
        root = (second / (1 - beta2 ** (since + 1))).sqrt_().add_(group["eps"])
        kept = weight[rows] * (1 - group["lr"] * group["weight_decay"] * (weight.dim() == 2))
        weight[rows] = kept - rate / (1 - beta1 ** (since + 1)) * first / root


def grass_optimizer(model, configuration):
    grass = configuration["grass"]
    others, matrices = others_and_projected(model)
    projected = {"params": matrices, "rank": grass["rank"], "refresh_interval": grass.get("refresh_interval", 200),
                 "refresh_warmup": grass.get("refresh_warmup", 20), "scale": grass.get("scale", 0.25)}
    return GrassTopR([{"params": others, "rank": 0}, projected], adam_options(configuration))


def with_adapters(model, configuration):
    from peft import LoraConfig, get_peft_model
    rank = configuration["grass"]["rank"]
    return get_peft_model(model, LoraConfig(r=rank, lora_alpha=2 * rank, lora_dropout=0.0, target_modules=list(PROJECTED)))


def model_and_optimizer(method, configuration, weights):
    torch.manual_seed(configuration.get("run", {}).get("seed", 0))
    model = LlamaForCausalLM.from_pretrained(weights, dtype=torch.float32, attn_implementation="sdpa").to(DEVICE)
    if method in ("galore", "grass"):
        return model, {"galore": galore_optimizer, "grass": grass_optimizer}[method](model, configuration)
    if method == "lora":
        model = with_adapters(model, configuration)
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    return model, torch.optim.AdamW(trained, **adam_options(configuration))


def computes_in_bfloat16(configuration):
    return configuration.get("precision", {}).get("compute", "float") != "float"


def loss_function(model, configuration):
    """The sum over the targets that count."""
    in_bfloat16 = computes_in_bfloat16(configuration)

    def loss_sum(inputs, targets):
        with torch.autocast(DEVICE, torch.bfloat16, enabled=in_bfloat16):
            logits = model(input_ids=inputs, use_cache=False).logits
        return functional.cross_entropy(logits.float().flatten(0, 1), targets.flatten(), ignore_index=DOES_NOT_COUNT,
                                        reduction="sum")

    return torch.compile(loss_sum) if DEVICE == "cuda" else loss_sum


@torch.no_grad()
def validation_loss(loss_sum, tokens, length, micro):
    total = counting = 0
    count = sequence_count(tokens, length)
    for first in range(0, count, micro):
        inputs, targets = sequences(tokens, numpy.arange(first, min(count, first + micro)), length)
        total += loss_sum(inputs, targets).item()
        counting += (targets != DOES_NOT_COUNT).sum().item()
    return total / counting


def update(configuration, loss_sum, optimizer, batch, step):
    """The mean loss of the batch before it."""
    inputs, targets = batch
    loss = loss_sum(inputs, targets) / (targets != DOES_NOT_COUNT).sum()
    loss.backward()
    clip = configuration["optimizer"].get("clip", 0.0)
    if clip:
        torch.nn.utils.clip_grad_norm_([p for group in optimizer.param_groups for p in group["params"]], clip)
    for group in optimizer.param_groups:
        group["lr"] = learning_rate(configuration["schedule"], configuration["optimizer"]["learning_rate"], step)
    optimizer.step()
    optimizer.zero_grad()
    return loss.item()


def save(path, step, model, optimizer):
    part = path.with_suffix(".part")
    torch.save({"step": step, "model": model.state_dict(), "optimizer": optimizer.state_dict()}, part)
    part.rename(path)


def resume(path, model, optimizer):
    """The updates behind what save has written, or 0."""
    if not path.exists():
        return 0
    state = torch.load(path, map_location=DEVICE, weights_only=False)  # GaLore's projections are objects
    model.load_state_dict(state["model"])
    optimizer.load_state_dict(state["optimizer"])
    return state["step"]


def keep_until(metrics, step):
    lines = metrics.read_text().splitlines(keepends=True) if step else []
    metrics.write_text("".join(line for line in lines if line.endswith("\n") and json.loads(line)["step"] <= step))


def train(method, configuration, weights):
    data, batch, schedule = configuration["data"], configuration["batch"], configuration["schedule"]
    length, size, interval = data["sequence_length"], batch["sequences"], configuration["output"].get("evaluation_interval", 0)
    batches = Batches(read_tokens(data["train"]), length, size, configuration.get("run", {}).get("seed", 0))
    validation = read_tokens(data["validation"])
    model, optimizer = model_and_optimizer(method, configuration, weights)
    loss_sum = loss_function(model, configuration)
    directory = Path(configuration["output"]["directory"])
    directory.mkdir(parents=True, exist_ok=True)
    first = resume(directory / "state.pt", model, optimizer)
    keep_until(directory / "metrics.jsonl", first)
    with (directory / "metrics.jsonl").open("a") as metrics:
        for step in range(first, schedule["steps"]):
            sequences_of_update = batches.read(step)  # sward-train reads them while the device computes
            begin = time.monotonic()
            loss = update(configuration, loss_sum, optimizer, sequences_of_update, step)
            entry = {"step": step + 1, "loss": loss, "tokens": (step + 1) * size * length,
                     "step_seconds": time.monotonic() - begin,
                     "refreshed": method in ("grass", "galore") and step % configuration["grass"].get("refresh_interval", 200) == 0,
                     "device_memory_bytes": torch.cuda.max_memory_reserved() if DEVICE == "cuda" else 0}
            metrics.write(json.dumps(entry) + "\n")
            if step + 1 == schedule["steps"] or interval and (step + 1) % interval == 0:
                loss = validation_loss(loss_sum, validation, length, batch["micro"])
                metrics.write(json.dumps({"step": step + 1, "validation_loss": loss}) + "\n")
                metrics.flush()
                save(directory / "state.pt", step + 1, model, optimizer)


def main():
    arguments = parse_arguments()
    configuration = read_configuration(arguments.configuration, arguments.set)
    # What is outside autocast, as the products of GaLore's projections, is rounded only where the model's products are.
    torch.backends.cuda.matmul.allow_tf32 = computes_in_bfloat16(configuration)
    train(arguments.method, configuration, arguments.weights)


if __name__ == "__main__":
    main()
