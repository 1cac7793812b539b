#!/usr/bin/env python3
"""Times a training step of PyTorch's DistributedDataParallel in full (AdamW) on all GPUs of a host: what Sward is
measured against on several GPUs. Prints a JSON line a case, with the fields that perf_scaling has.

  torchrun --nproc_per_node 2 perf/scaling/peer_ddp.py 1b:256:64

A case is PRESET:LENGTH:SEQUENCES, of each rank. bfloat16 weights and states, torch.compile, fused AdamW.
"""

import argparse
import json
import os
import sys
from pathlib import Path

import torch
from torch import distributed
from torch.nn.parallel import DistributedDataParallel

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from compare_gpu import VOCABULARY, median_time, shape_of  # noqa: E402
from peer_torch import Trainer  # noqa: E402


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("cases", nargs="+", help="PRESET:LENGTH:SEQUENCES")
    parser.add_argument("--steps", type=int, default=20, help="steps timed after the warm-up (default 20)")
    parser.add_argument("--warmup", type=int, default=5, help="steps before them (default 5)")
    parser.add_argument("--eager", action="store_true", help="leave out torch.compile")
    return parser.parse_args()


def time_case(case, arguments):
    shape = shape_of(case + ":0")
    trainer = Trainer(shape, 0, False, "cuda", torch.bfloat16)
    network = DistributedDataParallel(trainer.model, gradient_as_bucket_view=True)
    trainer.network = network if arguments.eager else torch.compile(network, dynamic=False)
    tokens = torch.randint(0, VOCABULARY, (shape["sequences"], shape["length"] + 1), device="cuda")
    seconds = torch.tensor(median_time(lambda: trainer.update(tokens), arguments.warmup, arguments.steps), device="cuda")
    distributed.all_reduce(seconds, distributed.ReduceOp.MAX)
    ranks = distributed.get_world_size()
    total = ranks * shape["sequences"] * shape["length"]
    return dict(case=case, method="PyTorch DDP" + (", eager" if arguments.eager else ""), ranks=ranks,
                tokens_per_second=total / seconds.item(), step_seconds=seconds.item())


def main():
    arguments = parse_arguments()
    torch.cuda.set_device(int(os.environ["LOCAL_RANK"]))
    distributed.init_process_group("nccl")
    for case in arguments.cases:
        line = time_case(case, arguments)
        if distributed.get_rank() == 0:
            print(json.dumps(line), flush=True)
        torch.cuda.empty_cache()
    distributed.destroy_process_group()


if __name__ == "__main__":
    main()
