"""Compares `gpumem estimate --runtime training` with what PyTorch itself counts.

    benchmarks/models/training_report.py [--gpumem build/release/gpumem] [--details]

Needs torch and transformers. The models are real configurations with fewer layers, run with fake tensors: PyTorch goes
through every operation of two steps of training and counts what is alive (torch.distributed._tools.MemTracker), but
computes nothing and needs no GPU. Attention keeps what a flash kernel keeps: queries, keys, values, output and the sums
of the softmax. The allocator's rounding is not counted, so it is left out of the estimate here.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import tempfile
from pathlib import Path
from typing import Any

import torch
import transformers
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.distributed._tools.mem_tracker import MemTracker
from transformers import AttentionInterface, AutoConfig, AutoModelForCausalLM

MIB = 1 << 20
MODELS: dict[str, dict[str, Any]] = {
    "Llama 3.2 1B": {
        "model_type": "llama", "hidden_size": 2048, "intermediate_size": 8192, "num_hidden_layers": 8,
        "num_attention_heads": 32, "num_key_value_heads": 8, "head_dim": 64, "vocab_size": 128256,
        "tie_word_embeddings": True,
    },
    "Mistral 7B, 4 layers": {
        "model_type": "mistral", "hidden_size": 4096, "intermediate_size": 14336, "num_hidden_layers": 4,
        "num_attention_heads": 32, "num_key_value_heads": 8, "head_dim": 128, "vocab_size": 32768,
        "sliding_window": None,
    },
    "Qwen 2.5 7B, 6 layers": {
        "model_type": "qwen2", "hidden_size": 3584, "intermediate_size": 18944, "num_hidden_layers": 6,
        "num_attention_heads": 28, "num_key_value_heads": 4, "vocab_size": 152064, "tie_word_embeddings": False,
    },
    "Qwen 3 0.6B, 12 layers": {
        "model_type": "qwen3", "hidden_size": 1024, "intermediate_size": 3072, "num_hidden_layers": 12,
        "num_attention_heads": 16, "num_key_value_heads": 8, "head_dim": 128, "vocab_size": 151936,
        "tie_word_embeddings": True,
    },
    "Mixtral 8x7B, 2 layers": {
        "model_type": "mixtral", "hidden_size": 4096, "intermediate_size": 14336, "num_hidden_layers": 2,
        "num_attention_heads": 32, "num_key_value_heads": 8, "vocab_size": 32000, "num_local_experts": 8,
        "num_experts_per_tok": 2,
    },
}  # fmt: skip
LOADS = ((1, 512), (4, 2048))
PRECISIONS = ("bf16", "mixed", "f32")


class FlashAttention(torch.autograd.Function):
    """Keeps what a flash kernel keeps; computes nothing that counts."""

    @staticmethod
    def forward(ctx: Any, query: Any, key: Any, value: Any) -> Any:
        output = torch.empty_like(query)
        ctx.save_for_backward(query, key, value, output, query.new_empty(query.shape[:-1], dtype=torch.float32))
        return output

    @staticmethod
    def backward(ctx: Any, *_gradients: Any) -> Any:
        query, key, value, _output, _sums = ctx.saved_tensors
        return torch.empty_like(query), torch.empty_like(key), torch.empty_like(value)


def flash_attention(_module: Any, query: Any, key: Any, value: Any, _mask: Any, **_rest: Any) -> tuple[Any, None]:
    if torch.is_autocast_enabled("cpu"):  # as torch.nn.functional.scaled_dot_product_attention does
        query, key, value = (tensor.to(torch.bfloat16) for tensor in (query, key, value))
    return FlashAttention.apply(query, key, value).transpose(1, 2), None


def one_step(model: Any, optimizer: Any, ids: Any, precision: str) -> None:
    with torch.autocast("cpu", dtype=torch.bfloat16, enabled=precision == "mixed"):
        loss = model(input_ids=ids, labels=ids, use_cache=False).loss
    loss.backward()
    optimizer.step()
    optimizer.zero_grad()


def counted(config: dict[str, Any], load: tuple[int, int], precision: str, checkpointing: bool) -> int:
    """The most bytes that are alive in the second step, as PyTorch counts."""
    dtype = torch.bfloat16 if precision == "bf16" else torch.float32
    with FakeTensorMode(allow_non_fake_inputs=True):
        settings = AutoConfig.for_model(**config)
        model = AutoModelForCausalLM.from_config(settings, dtype=dtype, attn_implementation="fused")
        model.train()
        if checkpointing:
            model.gradient_checkpointing_enable()
        ids = torch.zeros(load, dtype=torch.long)
        optimizer = torch.optim.AdamW(model.parameters(), foreach=True)
        tracker = MemTracker()
        tracker.track_external(model, optimizer)
        with tracker:
            one_step(model, optimizer, ids, precision)
            tracker.reset_mod_stats()
            one_step(model, optimizer, ids, precision)
        peak = tracker.get_tracker_snapshot("peak")
    return int(sum(device["Total"] for device in peak.values()))


def estimated(gpumem: str, config: dict[str, Any], load: tuple[int, int], precision: str, checkpointing: bool) -> int:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "config.json"
        file.write_text(json.dumps(config))
        command = [gpumem, "estimate", str(file), "--runtime", "training", "--json", "--precision", precision]
        command += ["--batch", str(load[0]), "--context", str(load[1])] + ["--checkpointing"] * checkpointing
        answer = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    return int(answer["total_bytes"] - answer["slack_bytes"])


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--gpumem", default="build/release/gpumem")
    parser.add_argument("--details", action="store_true", help="each comparison")
    options = parser.parse_args()
    transformers.logging.set_verbosity_error()
    AttentionInterface.register("fused", flash_attention)
    errors = []
    for name, config in MODELS.items():
        for load in LOADS:
            for precision in PRECISIONS:
                for checkpointing in (False, True):
                    case = (config, load, precision, checkpointing)
                    ours, theirs = estimated(options.gpumem, *case), counted(*case)
                    errors.append(ours / theirs - 1)
                    if options.details:
                        what = f"{name}, {load[0]} x {load[1]}, {precision}{', checkpoints' * checkpointing}"
                        print(
                            f"{what}: {ours / MIB:.0f} MiB, counted {theirs / MIB:.0f} ({errors[-1]:+.1%})", flush=True
                        )
    within = sum(abs(error) <= 0.05 for error in errors)
    print(f"{within} of {len(errors)} within 5 %; furthest {min(errors):+.1%} and {max(errors):+.1%}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
