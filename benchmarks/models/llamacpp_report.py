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
HOST = ("CPU", "CUDA_Host", "CPU_Mapped", "Vulkan_Host", "ROCm_Host", "AMX")


def is_gpu(name: str) -> bool:
    return not name.startswith(("CPU", "AMX", "HTP")) and not name.endswith(("_Host", "_Split"))


def gpu_names(record: dict[str, Any]) -> list[str]:
    names = {name for key in ("kv_buf_mib", "compute_buf_mib", "model_buf_mib") for name in record.get(key) or {}}
    return sorted((name for name in names if is_gpu(name)), key=lambda name: (len(name), name))


def uses_flash_attention(record: dict[str, Any]) -> bool:
    return str(record.get("flash_attn")) in ("1", "enabled", "auto->1", "auto")


def has_experts_in_host(record: dict[str, Any]) -> bool:
    """The logs do not print -ot; far more weights than an embedding in host memory, with all layers offloaded, do."""
    layers, _, of = str(record.get("offloaded")).partition("/")
    buffers = record.get("model_buf_mib") or {}
    in_host = sum(size for name, size in buffers.items() if not is_gpu(name))
    return layers == of and in_host > 0.3 * sum(buffers.values())


def arguments(record: dict[str, Any], gpus: int) -> list[str]:
    words = ["--context", str(record["n_ctx"]), "--ubatch", str(record.get("n_ubatch") or 512), "--gpus", str(gpus)]
    words += ["--parallel", str(record.get("n_seq_max") or 1)]
    words += ["--kv-type-k", record["type_k"], "--kv-type-v", record.get("type_v") or record["type_k"]]
    words += ["--flash-attn", "on" if uses_flash_attention(record) else "off"]
    offloaded = str(record.get("offloaded") or "")
    if "/" in offloaded:
        words += ["--gpu-layers", offloaded.split("/")[0]]
    if record.get("mla_attn") is not None:
        words += ["--mla", str(record["mla_attn"])]
    if record.get("attn_max_b") is not None:
        words += ["--amb", str(record["attn_max_b"])]
    if any(name.startswith(("Vulkan", "Metal", "MTL")) for name in gpu_names(record)):
        words += ["--no-pipeline"]
    if record["engine"].startswith("ik_"):
        words += ["--runtime-version", "ik"]
    elif record.get("build"):
        words += ["--runtime-version", str(record["build"]).removeprefix("> ")]
    if record.get("swa_full"):
        words += ["--swa-full"]
    if record.get("kv_unified") in (True, "true"):
        words += ["--kv-unified"]
    if record.get("split_mode") == "row":
        words += ["--split-mode", "row"]
    if has_experts_in_host(record):
        words += ["--cpu-moe"]
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


def is_placed_by_hand(record: dict[str, Any]) -> bool:
    """Whether tensors lie where only -ot puts them, which logs do not print."""
    buffers = record.get("model_buf_mib") or {}
    on_gpus = sum(size for name, size in buffers.items() if is_gpu(name))
    offloaded = str(record.get("offloaded") or "")
    return has_experts_in_host(record) or (offloaded.startswith("0/") and on_gpus > 0)


def compare(account: Account, record: dict[str, Any], answer: dict[str, Any], names: list[str]) -> None:
    devices = answer["devices"]
    if record.get("kv_total_mib"):
        account.add("KV cache", record, "", answer["kv_cache_bytes"] / MIB, record["kv_total_mib"])
    compute = record.get("compute_buf_mib") or {}
    for name, device in zip(names, devices):
        if compute.get(name):
            account.add("compute buffer", record, name, device["compute_bytes"] / MIB, compute[name])
    if not names and compute.get("CPU"):
        account.add("compute buffer", record, "CPU", devices[-1]["compute_bytes"] / MIB, compute["CPU"])
    if is_placed_by_hand(record):
        return
    weights = record.get("model_buf_mib") or {}
    for name, device in zip(names, devices):
        if weights.get(name):
            account.add("weights", record, name, device["weights_bytes"] / MIB, weights[name])
    kv = record.get("kv_buf_mib") or {}
    if names and all(weights.get(name) and compute.get(name) for name in names):
        ours = sum(device["total_bytes"] for device in devices[:-1]) / MIB
        states = sum((record.get("rs_buf_mib") or {}).values())
        printed = states + sum(weights[n] + compute[n] + kv.get(n, 0.0) for n in names)
        account.add("total on the GPUs", record, "", ours, printed)


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
        if not record.get("n_ctx") or not (record.get("hparams") or {}).get("n_head"):
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
    account.show("weights", 0.02)
    account.show("compute buffer", 0.25)
    account.show("total on the GPUs", 0.05)
    print(f"left out, for want of a context or dimensions: {left_out}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
