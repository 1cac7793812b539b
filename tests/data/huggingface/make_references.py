#!/usr/bin/env python3
"""Models as transformers writes them, small and of random weights, and what transformers computes from them in double.

One folder a kind:
  config.json, model*.safetensors   the model, as save_pretrained left it (linear: config.json in the form of transformers 4)
  reference.safetensors             tokens: sequences x length, the inputs (F32)
                                    logits: sequences x length x vocabulary (F32)
                                    loss: mean over the tokens that have a next one in their sequence (F64)
                                    continuation: the prompt, then 50 tokens, each the likeliest (F32)
                                    gradient.NAME: of that loss, every parameter (F32)

Usage: make_references.py OUT [KIND...]
"""
import argparse
import json
import os
import shutil

import torch
import transformers
from safetensors.torch import save_file
from transformers import AutoModelForCausalLM, LlamaConfig, LlamaForCausalLM, MistralConfig, MistralForCausalLM

SEQUENCES, LENGTH, PROMPT, CONTINUATION = 2, 24, 4, 50
# Of the 8 frequencies of a head of 16 the first is kept, the second is on the ramp, and the others are divided.
LLAMA3 = dict(rope_type="llama3", rope_theta=500000.0, factor=8.0, low_freq_factor=1.0, high_freq_factor=4.0,
              original_max_position_embeddings=64)
SMALL = dict(hidden_size=32, intermediate_size=36, num_attention_heads=4, num_hidden_layers=2, vocab_size=100,
             max_position_embeddings=64, initializer_range=0.25)

# Changes to SMALL, the type of the weights, and options of save_pretrained.
KINDS = {
    "llama2": (dict(num_key_value_heads=4, rms_norm_eps=1e-5), torch.float32, dict(max_shard_size="20KB")),
    "llama3": (dict(num_attention_heads=2, num_key_value_heads=1, rms_norm_eps=1e-5, rope_parameters=LLAMA3,
                    max_position_embeddings=512, eos_token_id=[97, 98, 99]),
               torch.bfloat16, {}),
    "tinyllama": (dict(num_attention_heads=8, num_key_value_heads=1, rms_norm_eps=1e-5), torch.float16, {}),
    "smollm": (dict(hidden_size=36, num_attention_heads=6, num_key_value_heads=2, tie_word_embeddings=True,
                    rms_norm_eps=1e-5, rope_parameters=dict(rope_type="default", rope_theta=100000.0)),
               torch.float32, {}),
    "mistral": (dict(num_key_value_heads=2, sliding_window=None, rms_norm_eps=1e-5), torch.float32, {}),
    "linear": (dict(num_key_value_heads=1, rope_parameters=dict(rope_type="linear", rope_theta=10000.0, factor=4.0)),
               torch.float32, {}),
}


def write_old_config(path):
    """Rewrites config.json as transformers 4 did: rope_theta and rope_scaling with `type`, and torch_dtype."""
    with open(path) as file:
        config = json.load(file)
    scaling = config.pop("rope_parameters")
    config["rope_theta"] = scaling.pop("rope_theta")
    config["rope_scaling"] = {"type": scaling.pop("rope_type"), **scaling}
    config["torch_dtype"] = config.pop("dtype")
    config["transformers_version"] = "4.31.0"
    with open(path, "w") as file:
        json.dump(dict(sorted(config.items())), file, indent=2)
        file.write("\n")


def write_model(name, folder, seed):
    changes, dtype, options = KINDS[name]
    torch.manual_seed(seed)
    config_class, model_class = LlamaConfig, LlamaForCausalLM
    if name == "mistral":
        config_class, model_class = MistralConfig, MistralForCausalLM
    model = model_class(config_class(**{**SMALL, **changes}))
    with torch.no_grad():
        for key, parameter in model.named_parameters():
            if "norm" in key:
                parameter.add_(0.2 * torch.randn_like(parameter))
    shutil.rmtree(folder, ignore_errors=True)
    model.to(dtype).save_pretrained(folder, **options)
    os.remove(os.path.join(folder, "generation_config.json"))
    if name == "linear":
        write_old_config(os.path.join(folder, "config.json"))


def load(folder):
    """The model in double, from the files alone. Its rotary tables are taken in float, as transformers always does."""
    return AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float64, attn_implementation="eager")


def continue_greedily(model):
    """The prompt and what follows, and the smallest lead of the likeliest token over the next."""
    tokens = list(range(1, PROMPT + 1))
    margin = float("inf")
    with torch.no_grad():
        for _ in range(CONTINUATION):
            best = model(torch.tensor([tokens])).logits[0, -1].topk(2)
            margin = min(margin, (best.values[0] - best.values[1]).item())
            tokens.append(best.indices[0].item())
    return tokens, margin


def reference(model):
    vocabulary = model.config.vocab_size
    inputs = torch.randint(vocabulary, (SEQUENCES, LENGTH), generator=torch.Generator().manual_seed(3))
    output = model(inputs, labels=inputs)
    output.loss.backward()
    tensors = {"tokens": inputs.float(), "logits": output.logits.detach().float(), "loss": output.loss.detach().double()}
    for key, parameter in model.named_parameters():
        tensors["gradient." + key] = parameter.grad.float().contiguous()
    return tensors


def effect_of_scaling(folder, logits):
    """How much the logits would change if the scaling of positions were forgotten."""
    model = load(folder)
    model.config.rope_parameters = dict(rope_type="default", rope_theta=model.config.rope_parameters["rope_theta"])
    plain = type(model)(model.config).double()
    plain.load_state_dict(model.state_dict())
    inputs = torch.randint(model.config.vocab_size, (SEQUENCES, LENGTH), generator=torch.Generator().manual_seed(3))
    with torch.no_grad():
        return (plain(inputs).logits.float() - logits).abs().max().item()


def make(name, folder):
    for seed in range(100):
        write_model(name, folder, seed)
        tokens, margin = continue_greedily(load(folder))
        # A float forward pass is off by some 1e-5, so that no tie is decided by rounding; and a loop of a few tokens
        # would not notice a wrong position.
        if margin > 0.02 and len(set(tokens)) > 20:
            break
    else:
        raise SystemExit(f"{name}: every seed has a near tie")
    tensors = reference(load(folder))
    tensors["continuation"] = torch.tensor(tokens).float()
    effect = ""
    if name in ("llama3", "linear"):
        change = effect_of_scaling(folder, tensors["logits"])
        assert change > 0.1, f"{name}: the scaling changes nothing"
        effect = f", scaling changes logits by up to {change:.2f}"
    save_file(tensors, os.path.join(folder, "reference.safetensors"), metadata={"format": "pt"})
    print(f"{name}: seed {seed}, smallest margin {margin:.3f}, {len(set(tokens))} different tokens, "
          f"largest logit {tensors['logits'].abs().max():.1f}, loss {tensors['loss'].item():.4f}{effect}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out")
    parser.add_argument("kinds", nargs="*", default=list(KINDS), metavar="kind")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    transformers.utils.logging.disable_progress_bar()
    for kind in arguments.kinds:
        make(kind, os.path.join(arguments.out, kind))
