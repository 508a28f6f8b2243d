#!/usr/bin/env python3
"""Compares `gpumem estimate --runtime vllm` with what published vLLM logs print.

Reads JSON Lines with one log each: the model's name, its layers and key-value heads ("arch"), the options, and what is
printed in GiB (kv_gib, model_load_gib or weights_gib) and tokens (kv_tokens). Dimensions that decide the weights are
those of the models' published config.json. Prints, for each kind of figure, how many were compared and how many lie
within the bound, and with --details each figure outside.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

GIB = 1 << 30

# From config.json of each model; of a name the first that it contains.
CONFIGS: dict[str, dict[str, Any]] = {
    "Qwen2-7B": {
        "model_type": "qwen2",
        "max_position_embeddings": 32768,
        "hidden_size": 3584,
        "intermediate_size": 18944,
        "num_attention_heads": 28,
        "vocab_size": 152064,
        "tie_word_embeddings": False,
    },
    "Qwen2.5-3B": {
        "model_type": "qwen2",
        "max_position_embeddings": 32768,
        "hidden_size": 2048,
        "intermediate_size": 11008,
        "num_attention_heads": 16,
        "vocab_size": 151936,
        "tie_word_embeddings": True,
    },
    "Qwen2.5-7B": {
        "model_type": "qwen2",
        "max_position_embeddings": 32768,
        "hidden_size": 3584,
        "intermediate_size": 18944,
        "num_attention_heads": 28,
        "vocab_size": 152064,
        "tie_word_embeddings": False,
    },
    "distill-qwen-14b": {
        "model_type": "qwen2",
        "max_position_embeddings": 131072,
        "hidden_size": 5120,
        "intermediate_size": 13824,
        "num_attention_heads": 40,
        "vocab_size": 152064,
        "tie_word_embeddings": False,
    },
    "Qwen3-235B-A22B": {
        "model_type": "qwen3_moe",
        "max_position_embeddings": 262144,
        "hidden_size": 4096,
        "intermediate_size": 12288,
        "num_attention_heads": 64,
        "vocab_size": 151936,
        "num_experts": 128,
        "num_experts_per_tok": 8,
        "moe_intermediate_size": 1536,
        "tie_word_embeddings": False,
    },
    "Qwen3-Coder-30B-A3B": {
        "model_type": "qwen3_moe",
        "max_position_embeddings": 262144,
        "hidden_size": 2048,
        "intermediate_size": 6144,
        "num_attention_heads": 32,
        "vocab_size": 151936,
        "num_experts": 128,
        "num_experts_per_tok": 8,
        "moe_intermediate_size": 768,
        "tie_word_embeddings": False,
    },
    "Phi-4": {
        "model_type": "phi3",
        "max_position_embeddings": 16384,
        "hidden_size": 5120,
        "intermediate_size": 17920,
        "num_attention_heads": 40,
        "num_hidden_layers": 40,
        "num_key_value_heads": 10,
        "vocab_size": 100352,
        "tie_word_embeddings": False,
    },
    "Llama-3.1-8B": {
        "model_type": "llama",
        "max_position_embeddings": 131072,
        "hidden_size": 4096,
        "intermediate_size": 14336,
        "num_attention_heads": 32,
        "num_hidden_layers": 32,
        "num_key_value_heads": 8,
        "vocab_size": 128256,
        "tie_word_embeddings": False,
    },
}

# As PyTorch counts them, in GiB, where a log names the card alone.
CARDS = {"A100 80GB": 79.15, "L40S": 44.42, "H100": 79.19, "T4": 14.56}


def known_config(record: dict[str, Any]) -> dict[str, Any] | None:
    name = str(record.get("model")).lower()
    return next((config for key, config in CONFIGS.items() if key.lower() in name), None)


def quantisation(record: dict[str, Any]) -> dict[str, Any]:
    told = f"{record.get('dtype')} {record.get('model')}".lower()
    for words, config in {
        ("awq", "gptq"): {"quant_method": "awq", "bits": 4, "group_size": 128},
        ("bnb",): {"load_in_4bit": True, "bnb_4bit_use_double_quant": True},  # as Unsloth publishes them
        ("fp8 w", "-fp8"): {"quant_method": "fp8"},
    }.items():
        if any(word in told for word in words):
            return {"quantization_config": config}
    return {}


def config_of(record: dict[str, Any]) -> dict[str, Any] | None:
    """What is known of the model: enough for the cache where the log has "arch", for the weights where it is known."""
    arch = record.get("arch") or {}
    config = dict(known_config(record) or {})
    if arch:
        config |= {"num_hidden_layers": arch["n_layer"], "num_key_value_heads": arch["n_head_kv"]}
        config |= {"head_dim": arch["head_dim"]}
        config.setdefault("hidden_size", arch["n_head_kv"] * arch["head_dim"])
        config.setdefault("num_attention_heads", arch["n_head_kv"])
    return config | quantisation(record) if "num_hidden_layers" in config else None


def card_gib(record: dict[str, Any]) -> float | None:
    if record.get("gpu_total_gib"):
        return float(record["gpu_total_gib"])
    if record.get("gpu_total_mib"):
        return float(record["gpu_total_mib"]) / 1024
    return next((size for name, size in CARDS.items() if name in str(record.get("gpu"))), None)


def arguments(record: dict[str, Any]) -> list[str]:
    size = f"{card_gib(record) or 1000}GiB"
    words = ["--runtime", "vllm", "--gpus", ",".join([size] * (record.get("tp") or 1))]
    words += ["--context", str(record.get("max_model_len") or 4096)]
    words += ["--max-num-batched-tokens", str(record.get("max_num_batched_tokens") or 2048)]
    if record.get("gpu_memory_utilization"):
        words += ["--gpu-memory-utilization", str(record["gpu_memory_utilization"])]
    if record.get("max_num_seqs"):
        words += ["--parallel", str(record["max_num_seqs"])]
    if "kv fp8" in str(record.get("dtype")):
        words += ["--kv-type-k", "fp8"]
    return words


def estimate(gpumem: str, record: dict[str, Any], config: dict[str, Any]) -> dict[str, Any]:
    with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
        json.dump(config, file)
        file.flush()
        command = [gpumem, "estimate", "--json", file.name, *arguments(record)]
        ran = subprocess.run(command, capture_output=True, text=True, check=False)
    if ran.returncode != 0:
        raise RuntimeError(f"{record['id']}: {ran.stderr.strip()}")
    return dict(json.loads(ran.stdout))


class Account:
    """How many figures were compared, and how many lie within their bound."""

    def __init__(self, details: bool) -> None:
        self.details = details
        self.figures: dict[str, list[tuple[str, float, float]]] = {}

    def add(self, kind: str, record: dict[str, Any], ours: float, printed: float) -> None:
        self.figures.setdefault(kind, []).append((f"{record['id']} {record['model']}", ours, printed))

    def show(self, kind: str, bound: float, least: float = 0.0) -> None:
        figures = self.figures.get(kind, [])
        bad = [figure for figure in figures if abs(figure[1] - figure[2]) > max(bound * figure[2], least)]
        print(f"{kind}: {len(figures) - len(bad)} of {len(figures)} within {100 * bound:g} %")
        for name, ours, printed in bad if self.details else []:
            print(f"    {name}: {ours:.2f}, printed {printed:.2f} ({100 * (ours / printed - 1):+.1f} %)")


def compare(account: Account, record: dict[str, Any], answer: dict[str, Any]) -> None:
    cache = record.get("kv_gib")
    blocks = record.get("num_gpu_blocks")
    tokens = record.get("kv_tokens") or (blocks * record["block_size"] if blocks else None)
    if cache and tokens:
        account.add("GiB of the printed tokens", record, tokens * answer["bytes_per_token"] / GIB, cache)
    loaded = record.get("weights_gib") or record.get("model_load_gib")
    if known_config(record) is None or record.get("ep"):  # Experts on more GPUs than the log counts.
        return
    if loaded:
        account.add("weights of a GPU, GiB", record, answer["weights_bytes"] / GIB, loaded)
    if cache and record.get("gpu_memory_utilization") and card_gib(record):
        account.add("cache of a GPU, GiB", record, answer["kv_cache_bytes"] / GIB, cache)
    activations = record.get("activation_peak_gib")
    if activations:
        account.add("activations of a GPU, GiB", record, answer["activations_bytes"] / GIB, activations)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("records", type=Path)
    parser.add_argument("--gpumem", default="build/release/gpumem")
    parser.add_argument("--details", action="store_true", help="each figure outside its bound")
    options = parser.parse_args()
    account = Account(options.details)
    left_out = 0
    for line in options.records.read_text().splitlines():
        record = json.loads(line)
        config = config_of(record)
        if config is None:
            left_out += 1
            continue
        try:
            compare(account, record, estimate(options.gpumem, record, config))
        except RuntimeError as error:
            print(error, file=sys.stderr)
            left_out += 1
    account.show("GiB of the printed tokens", 0.005, 0.01)
    account.show("weights of a GPU, GiB", 0.02)
    account.show("cache of a GPU, GiB", 0.05)
    account.show("activations of a GPU, GiB", 0.25)
    print(f"left out, for want of a model that is known: {left_out}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
