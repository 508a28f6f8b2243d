"""As cuda_holder.py, through PyTorch; `free` also empties its cache. Each answer has what PyTorch has reserved.

python3 torch_holder.py GPU
"""

from __future__ import annotations

import sys
from typing import Any


def answer_lines(torch: Any, gpu: int) -> None:
    tensors: list[Any] = [torch.zeros(1, device=f"cuda:{gpu}")]
    print("ready", flush=True)
    for line in sys.stdin:
        command, *amount = line.split()
        if command == "hold":
            tensors.append(torch.empty(int(amount[0]), dtype=torch.uint8, device=f"cuda:{gpu}"))
        else:
            tensors.clear()
            torch.cuda.empty_cache()
        torch.cuda.synchronize(gpu)
        print(f"done {torch.cuda.memory_reserved(gpu)}", flush=True)


def main() -> None:
    try:
        import torch
    except ImportError as error:
        print(f"failed: {error}", flush=True)
        return
    try:
        answer_lines(torch, int(sys.argv[1]))
    except RuntimeError as error:
        print(f"failed: {str(error).splitlines()[0]}", flush=True)


main()
