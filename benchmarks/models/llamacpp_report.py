#!/usr/bin/env python3
"""Compares `gpumem estimate` with what published llama.cpp logs print.

Reads JSON Lines with one log each: the model's hyper-parameters, the options, and the buffers in MiB as printed
(kv_buf_mib, compute_buf_mib, model_buf_mib by device). Prints, for each kind of buffer, how many were compared and how
many lie within the bound, and with --details each comparison.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

MIB = 1 << 20


def is_gpu(name: str) -> bool:
    return not name.startswith(("CPU", "AMX", "HTP")) and not name.endswith(("_Host", "_Split"))


def is_on_gpus(name: str) -> bool:
    return is_gpu(name) or name.endswith("_Split")


def gpu_names(record: dict[str, Any]) -> list[str]:
    names = {name for key in ("kv_buf_mib", "compute_buf_mib", "model_buf_mib") for name in record.get(key) or {}}
    return sorted((name for name in names if is_gpu(name)), key=lambda name: (len(name), name))


def uses_flash_attention(record: dict[str, Any]) -> bool:
    return str(record.get("flash_attn")) in ("1", "enabled", "auto->1", "auto")


def share_offloaded(record: dict[str, Any]) -> float:
    layers, _, of = str(record.get("offloaded") or "").partition("/")
    return float(layers) / float(of) if of else 1.0


def has_experts_in_host(record: dict[str, Any]) -> bool:
    """The logs do not print -ot; far more weights in host memory than an embedding and the layers left there do."""
    buffers = record.get("model_buf_mib") or {}
    total = sum(buffers.values())
    in_host = sum(size for name, size in buffers.items() if not is_on_gpus(name))
    offloaded = share_offloaded(record)
    return bool(in_host > (1 - offloaded + 0.3 * offloaded) * total)


def works_in_host(record: dict[str, Any]) -> bool:
    """Whether host memory has more scratch than the inputs of the graph: the fork then works there on weights that it
    has repacked for it (-rtr, which logs do not print).
    """
    inputs = 4 * (record.get("n_ubatch") or 512) * (record["hparams"].get("n_embd", 0) + record["n_ctx"]) / MIB
    scratch = sum(size for name, size in (record.get("compute_buf_mib") or {}).items() if not is_gpu(name))
    return record["engine"].startswith("ik_") and has_experts_in_host(record) and bool(scratch > 1.5 * inputs)


def layers_by_cache(record: dict[str, Any]) -> list[int] | None:
    """How many layers each GPU has, where equal parts of the cache tell; this is -ts, which logs do not print."""
    cache = record.get("kv_buf_mib") or {}
    layers = record["hparams"].get("n_layer", 0)
    parts = [cache.get(name, 0.0) / sum(cache.values()) * layers for name in gpu_names(record)] if cache else []
    is_whole = all(part > 0 and abs(part - round(part)) < 0.02 for part in parts)
    return [round(part) for part in parts] if is_whole and len(parts) > 1 else None


def splits_rows(record: dict[str, Any]) -> bool:
    return record.get("split_mode") == "row" or any(n.endswith("_Split") for n in record.get("model_buf_mib") or {})


def split(record: dict[str, Any]) -> list[str]:
    layers = layers_by_cache(record)
    if layers is None or splits_rows(record):
        return []
    if share_offloaded(record) == 1:
        layers[-1] += 1  # the output
    return ["--split", ",".join(str(count) for count in layers)]


def version(record: dict[str, Any]) -> list[str]:
    if record["engine"].startswith("ik_"):
        return ["--runtime-version", "ik"]
    if record.get("build"):
        return ["--runtime-version", str(record["build"]).removeprefix("> ")]
    return []


def latent(record: dict[str, Any]) -> list[str]:
    mode = record.get("mla_attn")
    if record.get("mla_line") and str(mode) == "0":  # Then the fork takes 1, for files made for latent attention.
        mode = 1
    return [] if mode is None else ["--mla", str(mode)]


def arguments(record: dict[str, Any], gpus: int) -> list[str]:
    words = ["--context", str(record["n_ctx"]), "--ubatch", str(record.get("n_ubatch") or 512), "--gpus", str(gpus)]
    words += ["--parallel", str(record.get("n_seq_max") or 1)]
    words += ["--kv-type-k", record["type_k"], "--kv-type-v", record.get("type_v") or record["type_k"]]
    words += ["--flash-attn", "on" if uses_flash_attention(record) else "off"]
    offloaded = str(record.get("offloaded") or "")
    if "/" in offloaded:
        words += ["--gpu-layers", offloaded.split("/")[0]]
    words += latent(record) + split(record) + version(record)
    if record.get("attn_max_b") is not None:
        words += ["--amb", str(record["attn_max_b"])]
    if any(name.startswith(("Vulkan", "Metal", "MTL")) for name in gpu_names(record)):
        words += ["--no-pipeline"]
    if record.get("swa_full"):
        words += ["--swa-full"]
    if record.get("kv_unified") in (True, "true"):
        words += ["--kv-unified"]
    if splits_rows(record):
        words += ["--split-mode", "row"]
    if has_experts_in_host(record):
        words += ["--cpu-moe"]
    if works_in_host(record):
        words += ["--no-op-offload"]
    return words


def estimate(gpumem: str, record: dict[str, Any], gpus: int) -> dict[str, Any]:
    with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
        json.dump(record, file)
        file.flush()
        command = [gpumem, "estimate", "--json", "--hparams", file.name, *arguments(record, gpus)]
        ran = subprocess.run(command, capture_output=True, text=True, check=False)
    if ran.returncode != 0:
        raise RuntimeError(f"{record['id']}: {ran.stderr.strip()}")
    return dict(json.loads(ran.stdout))


class Account:
    """How many logs were compared, and in how many every figure lies within its bound. A sweep counts as one log."""

    def __init__(self, details: bool) -> None:
        self.details = details
        self.cases: dict[str, dict[str, list[tuple[str, float, float]]]] = {}

    def add(self, kind: str, record: dict[str, Any], device: str, ours: float, printed: float) -> None:
        case = record.get("group") or f"{record['id']} {record.get('arch')}"
        self.cases.setdefault(kind, {}).setdefault(case, []).append((f"{record['id']} {device}", ours, printed))

    def show(self, kind: str, bound: float, least: float = 0.0) -> None:
        cases = self.cases.get(kind, {})
        bad = {
            case: [f for f in figures if abs(f[1] - f[2]) > max(bound * f[2], least)] for case, figures in cases.items()
        }
        good = sum(not figures for figures in bad.values())
        print(f"{kind}: {good} of {len(cases)} within {100 * bound:g} %" + (f" or {least:g} MiB" if least else ""))
        for case, figures in bad.items():
            if self.details and figures:
                name, ours, printed = max(figures, key=lambda f: abs(f[1] / f[2] - 1))
                off = f"{100 * (ours / printed - 1):+.1f} %"
                what = f"{len(figures)} of {len(cases[case])}"
                print(f"    {case}: {what}; {name} {ours:.1f} MiB, printed {printed:.1f} ({off})")


def follows_its_layers(record: dict[str, Any], names: list[str]) -> bool:
    """Whether no GPU has a quarter more weights than its layers take on average; the last one may have the output."""
    layers = layers_by_cache(record)
    buffers = record.get("model_buf_mib") or {}
    if layers is None:
        return True
    total = min(sum(buffers.values()), 1024 * float(str(record.get("model_size") or "1e9").split()[0]))
    most = [1.25 * total / record["hparams"]["n_layer"] * count for count in layers]
    most[-1] += 2 * record["hparams"]["n_vocab"] * record["hparams"]["n_embd"] / MIB
    return all(buffers.get(name, 0.0) < bound for name, bound in zip(names, most))


def is_placed_by_hand(record: dict[str, Any], names: list[str]) -> bool:
    """Whether tensors lie where only -ot puts them, which logs do not print."""
    buffers = record.get("model_buf_mib") or {}
    on_gpus = sum(size for name, size in buffers.items() if is_on_gpus(name))
    return has_experts_in_host(record) or is_spread_by_hand(record, names) or (share_offloaded(record) == 0 < on_gpus)


def is_spread_by_hand(record: dict[str, Any], names: list[str]) -> bool:
    """Placed by hand, and otherwise than experts in host memory: the log does not tell which GPU works on what."""
    buffers = record.get("model_buf_mib") or {}
    is_dense = not record["hparams"].get("n_expert")
    on_gpus = sum(size for name, size in buffers.items() if is_gpu(name))
    return (
        not follows_its_layers(record, names)
        or (share_offloaded(record) == 0 < on_gpus and len(names) > 0 and on_gpus > 100)
        or (has_experts_in_host(record) and is_dense)
    )


def is_determined(record: dict[str, Any], names: list[str]) -> bool:
    """Whether the log tells what decides the compute buffers."""
    return record.get("flash_attn") is not None and not is_spread_by_hand(record, names)


def compare_compute(account: Account, record: dict[str, Any], devices: list[Any], names: list[str]) -> None:
    kind = "compute buffer" if is_determined(record, names) else "compute buffer, not determined by the log"
    compute = record.get("compute_buf_mib") or {}
    for name, device in zip(names or ["CPU"], devices):
        if compute.get(name):
            account.add(kind, record, name, device["compute_bytes"] / MIB, compute[name])


def compare_weights(account: Account, record: dict[str, Any], devices: list[Any], names: list[str]) -> None:
    is_told = record.get("file_type") is not None and (not names or record.get("offloaded") is not None)
    kind = "weights" if is_told and not is_placed_by_hand(record, names) else "weights, not determined by the log"
    weights = dict(record.get("model_buf_mib") or {})
    compute = record.get("compute_buf_mib") or {}
    if splits_rows(record) and names:  # Only the sum of all GPUs is printed.
        weights[names[0]] = sum(size for name, size in weights.items() if is_on_gpus(name))
    for name, device in zip(names, devices):
        if weights.get(name):
            account.add(kind, record, name, device["weights_bytes"] / MIB, weights[name])
    if (
        names
        and kind == "weights"
        and is_determined(record, names)
        and all(weights.get(n) and compute.get(n) for n in names)
    ):
        cache = record.get("kv_buf_mib") or {}
        ours = sum(device["total_bytes"] for device in devices[:-1]) / MIB
        states = sum((record.get("rs_buf_mib") or {}).values())
        printed = states + sum(weights[n] + compute[n] + cache.get(n, 0.0) for n in names)
        account.add("total on the GPUs", record, "", ours, printed)


def compare(account: Account, record: dict[str, Any], answer: dict[str, Any], names: list[str]) -> None:
    devices = answer["devices"]
    if record.get("kv_total_mib"):
        account.add("KV cache", record, "", answer["kv_cache_bytes"] / MIB, record["kv_total_mib"])
    if record.get("rs_buf_mib"):
        states = sum(device["state_bytes"] for device in devices) / MIB
        account.add("recurrent state", record, "", states, sum(record["rs_buf_mib"].values()))
    if record["hparams"].get("n_head"):
        compare_compute(account, record, devices, names)
        compare_weights(account, record, devices, names)


def can_be_compared(record: dict[str, Any]) -> bool:
    hparams = record.get("hparams") or {}
    has_dimensions = bool(hparams.get("n_embd")) and bool(hparams.get("n_head") or hparams.get("k_gqa_global"))
    return bool(record.get("n_ctx")) and has_dimensions and record.get("quality") != "fixture"


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
        if not can_be_compared(record):
            left_out += 1
            continue
        names = gpu_names(record)
        try:
            compare(account, record, estimate(options.gpumem, record, len(names)), names)
        except RuntimeError as error:
            print(error, file=sys.stderr)
            left_out += 1
    account.show("KV cache", 0.0, 1.0)
    account.show("KV cache", 0.02)
    account.show("recurrent state", 0.02)
    account.show("weights", 0.02)
    account.show("weights, not determined by the log", 0.02)
    account.show("compute buffer", 0.25)
    account.show("compute buffer, not determined by the log", 0.25)
    account.show("total on the GPUs", 0.05)
    print(f"left out, for want of a context or dimensions, or made up: {left_out}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
