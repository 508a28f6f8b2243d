"""How much GPU memory a model needs; `dualgpuopt.memory.predictor` has it by its public name."""

from __future__ import annotations

import json
import os
from typing import Any, NamedTuple, Union

from . import _core

Path = Union[str, "os.PathLike[str]"]


class DeviceNeed(NamedTuple):
    """What a model takes on one device, in bytes.

    Attributes:
        device: "GPU 0" and so on; "host".
        layers: How many lie there.
        weights: Of these layers, and of embedding or output.
        kv_cache: Keys and values.
        state: Of recurrent layers.
        compute: Scratch for the largest graph; the least sure part.
        output: Logits, in host memory.
        total: The sum.
        context_overhead: What the process takes besides, not in the sum.

    Example:
        >>> DeviceNeed("host", 0, 100, 0, 0, 0, 20, 120, 0).total
        120
    """

    device: str
    layers: int
    weights: int
    kv_cache: int
    state: int
    compute: int
    output: int
    total: int
    context_overhead: int


class ModelEstimate(NamedTuple):
    """How much memory a model needs. Provisional: fields may be added.

    Attributes:
        runtime: "llama.cpp" or "vllm".
        architecture: As GGUF calls it.
        model: Its name.
        context: Tokens.
        weights_exact: From a table of tensors; False: estimated from dimensions.
        weights: Bytes of the file.
        kv_cache: Bytes over all devices; with vLLM what is left for it on each GPU.
        devices: The GPUs in order, then "host"; empty with vLLM.
        fits: None where the sizes of the GPUs were not given.
        missing: Bytes that are missing on each GPU; with vLLM one number, for one request of the whole context.
        remedies: Changes that would each make it fit, in words.
        tokens: That vLLM's cache holds; None with llama.cpp.

    Example:
        >>> def show(estimate: ModelEstimate) -> None:
        ...     for device in estimate.devices:
        ...         print(device.device, device.total)
    """

    runtime: str
    architecture: str
    model: str
    context: int
    weights_exact: bool
    weights: int
    kv_cache: int
    devices: tuple[DeviceNeed, ...]
    fits: bool | None
    missing: tuple[int, ...]
    remedies: tuple[str, ...]
    tokens: int | None


def _device(record: dict[str, Any]) -> DeviceNeed:
    values: list[Any] = [record.get(name, record.get(f"{name}_bytes")) for name in DeviceNeed._fields]
    return DeviceNeed(*values)


def _estimate(record: dict[str, Any]) -> ModelEstimate:
    fit = record["fit"] or {"fits": None, "missing_bytes": []}
    missing = fit["missing_bytes"]
    return ModelEstimate(
        record["runtime"],
        record["architecture"],
        record["model"],
        record["context"],
        record["weights_exact"],
        record["weights_bytes"],
        record["kv_cache_bytes"],
        tuple(_device(device) for device in record.get("devices", ())),
        fit["fits"],
        tuple(missing) if isinstance(missing, list) else (missing,),
        tuple(fit.get("remedies", ())),
        record.get("tokens"),
    )


def estimate(
    model: Path | None = None,
    *,
    hparams: Path | None = None,
    runtime: str = "llama.cpp",
    context: int = 0,
    parallel: int = 1,
    ubatch: int = 512,
    kv_type_k: str = "f16",
    kv_type_v: str = "f16",
    gpus: int | list[int] = 1,
    split: list[float] | None = None,
    split_rows: bool = False,
    main_gpu: int = 0,
    gpu_layers: int | None = None,
    cpu_moe: bool = False,
    n_cpu_moe: int = 0,
    flash_attn: bool = True,
    swa_full: bool = False,
    kv_unified: bool = False,
    mla: int | None = None,
    runtime_version: str = "",
    gpu_memory_utilization: float = 0.9,
    max_num_batched_tokens: int = 8192,
) -> ModelEstimate:
    """How much GPU memory a model needs, without reading its weights.

    Args:
        model: A GGUF file (of a split one any part), a folder or file of safetensors, or a config.json.
        hparams: Instead: a file of hyper-parameters as a log prints them, as JSON.
        runtime: "llama.cpp" or "vllm".
        context: Tokens; 0: what the model was trained for.
        parallel: Sequences side by side.
        ubatch: Tokens computed at once.
        kv_type_k: Number format of the keys, as in "q8_0"; vLLM's cache has it too.
        kv_type_v: Number format of the values.
        gpus: How many, or the bytes that are free on each.
        split: Each GPU's share; by what is free if left out.
        split_rows: Matrices are cut over all GPUs instead of layers dealt out.
        main_gpu: The GPU of the cache where rows are split.
        gpu_layers: So many layers on the GPUs, the output being one; None: all.
        cpu_moe: All experts in host memory.
        n_cpu_moe: The experts of so many layers in host memory.
        flash_attn: Whether it is used.
        swa_full: Sliding-window layers keep the whole context.
        kv_unified: Sequences share the context.
        mla: 0 to 3: how latent attention is kept; None: as the version does.
        runtime_version: A build of llama.cpp such as "b5400", or "ik" for ik_llama.cpp.
        gpu_memory_utilization: Of vLLM.
        max_num_batched_tokens: Of vLLM.

    Raises:
        FileNotFoundError: There is no such model.
        ValueError: The file or an argument makes no sense; the message names it.

    Example:
        >>> import json, tempfile
        >>> with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
        ...     json.dump({"arch": "llama", "n_layer": 32, "n_embd": 4096, "n_head": 32, "n_head_kv": 8}, file)
        ...     file.flush()
        ...     needed = estimate(hparams=file.name, context=8192)
        >>> needed.kv_cache == 1024**3
        True
    """
    answer, is_missing, message = _core.estimate(runtime, estimate_request(locals()))
    if answer is None:
        raise FileNotFoundError(message) if is_missing else ValueError(message)
    return _estimate(json.loads(answer))


def request_with(model: Path | None, options: dict[str, Any]) -> _core.EstimateRequest:
    """The request of `estimate(model, **options)`; TypeError for a keyword that it does not have."""
    defaults: dict[str, Any] = estimate.__kwdefaults__ or {}
    unknown = sorted(set(options) - set(defaults))
    if unknown:
        raise TypeError(f"{unknown[0]} is no keyword of estimate; expected one of {', '.join(defaults)}")
    return estimate_request({**defaults, "model": model, **options})


def estimate_request(given: dict[str, Any]) -> _core.EstimateRequest:
    """The arguments of `estimate`, by name, as the core takes them."""
    gpus = given["gpus"]
    return _core.EstimateRequest(
        os.fspath(given["model"]) if given["model"] is not None else "",
        os.fspath(given["hparams"]) if given["hparams"] is not None else "",
        given["context"],
        given["parallel"],
        given["ubatch"],
        given["kv_type_k"],
        given["kv_type_v"],
        str(gpus) if isinstance(gpus, int) else ",".join(f"{size}B" for size in gpus),
        ",".join(repr(float(share)) for share in given["split"] or ()),
        given["split_rows"],
        given["main_gpu"],
        given["gpu_layers"],
        given["cpu_moe"],
        given["n_cpu_moe"],
        given["flash_attn"],
        given["swa_full"],
        given["kv_unified"],
        given["mla"],
        given["runtime_version"],
        given["gpu_memory_utilization"],
        given["max_num_batched_tokens"],
    )
