"""How much GPU memory a model needs; `dualgpuopt.memory.predictor` has it by its public name."""

from __future__ import annotations

import json
import operator
import os
from collections.abc import Sequence
from typing import Any, NamedTuple, Union

from . import _core
from .metrics import DeviceSnapshot, Snapshot

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
        slack: What PyTorch's allocator rounds up; none with llama.cpp.
        total: The sum.
        context_overhead: What the process takes besides, not in the sum.

    Example:
        >>> DeviceNeed("host", 0, 100, 0, 0, 0, 20, 0, 120, 0).total
        120
    """

    device: str
    layers: int
    weights: int
    kv_cache: int
    state: int
    compute: int
    output: int
    slack: int
    total: int
    context_overhead: int


class TrainingNeed(NamedTuple):
    """What training takes on each GPU, in bytes. Not all parts are there at once: the total is their sum at the peak.

    Attributes:
        weights: In the format of computation, or in 32 bits.
        optimizer: Its states.
        gradients: Of every weight that is trained.
        activations: What autograd keeps for the backward pass.
        loss: Logits, their softmax and its gradient.
        working: One layer's intermediate results.
        step: What the optimizer takes besides while it steps.
        slack: What PyTorch's allocator rounds up.
        total: The most that is there at once.
        context_overhead: What the process takes besides, not in the sum.
        peak: When that is, in words.

    Example:
        >>> def show(need: TrainingNeed) -> None:
        ...     print(f"{need.total} bytes at the {need.peak}")
    """

    weights: int
    optimizer: int
    gradients: int
    activations: int
    loss: int
    working: int
    step: int
    slack: int
    total: int
    context_overhead: int
    peak: str


class ProfileNeed(NamedTuple):
    """What a profile says, in bytes over all GPUs together.

    Attributes:
        base: What the model takes by itself.
        per_batch: Of each sequence.
        per_token: Of each token.
        total: Of the batch and context that were asked for.

    Example:
        >>> estimate("llama2-7b").profile.base == 7 * 1024**3
        True
    """

    base: int
    per_batch: int
    per_token: int
    total: int


class Limit(NamedTuple):
    """Something as large as it can be on given GPUs.

    Attributes:
        amount: The largest that fits; one step more does not. None: there is none, as it costs nothing.
        margin: Bytes that are then left on the GPU that has least left; with training on each.

    Example:
        >>> Limit(16384, 3 << 20).amount
        16384
    """

    amount: int | None
    margin: int


class LayerSplit(NamedTuple):
    """Whole layers for each GPU, as `split` takes them.

    Attributes:
        layers: For each GPU; the output counts as one of the last.
        margin: Bytes that are then left on the GPU that has least left; negative where it does not fit.

    Example:
        >>> sum(LayerSplit((20, 13), 1 << 30).layers)
        33
    """

    layers: tuple[int, ...]
    margin: int


class FitLimits(NamedTuple):
    """What fits on given GPUs, each asked alone with all else as it is.

    None: nothing does, or it is not asked of this runtime.

    Attributes:
        context: Tokens.
        parallel: Sequences, each with as many tokens as one has now: with llama.cpp their context grows with them.
        gpu_layers: Of llama.cpp; the output is one of them.
        split: The one that leaves most where least is left, fitting or not; of several GPUs.

    Example:
        >>> FitLimits(None, None, Limit(25, 0), None).gpu_layers
        Limit(amount=25, margin=0)
    """

    context: Limit | None
    parallel: Limit | None
    gpu_layers: Limit | None
    split: LayerSplit | None


class ModelEstimate(NamedTuple):
    """How much memory a model needs. Provisional: fields may be added.

    Attributes:
        runtime: "llama.cpp", "vllm", "transformers", "training" or "profile".
        architecture: As GGUF calls it; "" with a profile.
        model: Its name.
        context: Tokens.
        weights_exact: From a table of tensors; False: estimated from dimensions.
        weights: Bytes of the file; with training and vLLM those on each GPU; 0 with a profile, which has no parts.
        kv_cache: Bytes over all devices; with vLLM what is left for it on each GPU; 0 with training and profiles.
        devices: The GPUs in order, then "host"; empty with vLLM, training and profiles.
        fits: None where the sizes of the GPUs were not given.
        missing: Bytes that are missing on each GPU; with vLLM one number, for one request of the whole context; with
            training one, for each GPU; with a profile one, for all together.
        remedies: Changes that would each make it fit, in words.
        tokens: That vLLM's cache holds; None with the others.
        training: The parts of training; None with the others.
        limits: What would still fit; None where the sizes of the GPUs were not given.
        placed: Bytes of the tensors that `override_tensor` placed.
        profile: The parts of a profile; None with a model.
        free_provenance: Where `gpus` was a snapshot, whose numbers these are: "driver", "simulated" or "replayed".
        notes: What was assumed because the model does not tell it, or is not known; what was asked for in vain.

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
    training: TrainingNeed | None = None
    limits: FitLimits | None = None
    placed: int = 0
    profile: ProfileNeed | None = None
    free_provenance: str | None = None
    notes: tuple[str, ...] = ()


def _device(record: dict[str, Any]) -> DeviceNeed:
    values: list[Any] = [record.get(name, record.get(f"{name}_bytes")) for name in DeviceNeed._fields]
    return DeviceNeed(*values)


def _training(record: dict[str, Any]) -> TrainingNeed | None:
    if record["runtime"] != "training":
        return None
    values: list[Any] = [record.get(name, record.get(f"{name}_bytes")) for name in TrainingNeed._fields]
    return TrainingNeed(*values)


def _profile(record: dict[str, Any]) -> ProfileNeed | None:
    if record["runtime"] != "profile":
        return None
    return ProfileNeed(*(record[f"{name}_bytes"] for name in ProfileNeed._fields))


def _limit(record: dict[str, Any] | None, name: str) -> Limit | None:
    return None if record is None else Limit(record[name], record["margin_bytes"])


def _limits(record: dict[str, Any] | None) -> FitLimits | None:
    if record is None:
        return None
    split = record.get("split")
    return FitLimits(
        _limit(record["context"], "tokens"),
        _limit(record["parallel"], "sequences"),
        _limit(record.get("gpu_layers"), "layers"),
        None if split is None else LayerSplit(tuple(split["layers"]), split["margin_bytes"]),
    )


def _estimate(record: dict[str, Any], free_provenance: str | None) -> ModelEstimate:
    fit = record["fit"] or {"fits": None, "missing_bytes": []}
    missing = fit["missing_bytes"]
    return ModelEstimate(
        record["runtime"],
        record.get("architecture", ""),
        record["model"],
        record["context"],
        record.get("weights_exact", False),
        record.get("weights_bytes", 0),
        record.get("kv_cache_bytes", 0),
        tuple(_device(device) for device in record.get("devices", ())),
        fit["fits"],
        tuple(missing) if isinstance(missing, list) else (missing,),
        tuple(fit.get("remedies", ())),
        record.get("tokens"),
        _training(record),
        _limits(fit.get("limits")),
        record.get("placed_bytes", 0),
        _profile(record),
        free_provenance,
        tuple(record.get("notes", ())),
    )


def estimate(
    model: Path | None = None,
    *,
    hparams: Path | None = None,
    profiles: Path | None = None,
    runtime: str = "llama.cpp",
    context: int = 0,
    parallel: int = 1,
    ubatch: int = 512,
    kv_type_k: str = "f16",
    kv_type_v: str = "f16",
    gpus: int | str | Sequence[int] | Snapshot = 1,
    split: str | Sequence[float] | None = None,
    split_rows: bool = False,
    main_gpu: int = 0,
    gpu_layers: int | None = None,
    cpu_moe: bool = False,
    n_cpu_moe: int = 0,
    override_tensor: str | Sequence[str] | None = None,
    flash_attn: bool = True,
    swa_full: bool = False,
    kv_unified: bool = False,
    mla: int | None = None,
    amb: int | None = None,
    op_offload: bool = True,
    pipeline: bool = True,
    runtime_version: str = "",
    gpu_memory_utilization: float = 0.9,
    max_num_batched_tokens: int = 8192,
    weight_type: str = "",
    optimizer: str = "adamw",
    precision: str = "mixed",
    sharding: str = "none",
    checkpointing: bool = False,
    accumulation: bool = False,
    lora_rank: int = 0,
) -> ModelEstimate:
    """How much GPU memory a model needs, without reading its weights.

    Args:
        model: A GGUF file (of a split one any part), a folder or file of safetensors, a config.json, or the name of a
            profile, as in "llama2-7b".
        hparams: Instead: a file of hyper-parameters as a log prints them, as JSON.
        profiles: A TOML file with more profiles that `model` may name.
        runtime: "llama.cpp", "vllm", "transformers" or "training".
        context: Tokens; 0: what the model was trained for.
        parallel: Sequences side by side; of training the batch on each GPU.
        ubatch: Tokens computed at once.
        kv_type_k: Number format of the keys, as in "q8_0"; vLLM's cache has it too.
        kv_type_v: Number format of the values.
        gpus: How many, or the bytes that are free on each, as numbers or as in "24GiB,16GiB", or a monitor's snapshot
            for what is free in it.
        split: Each GPU's share, as numbers or as in "3,1"; by what is free if left out.
        split_rows: Matrices are cut over all GPUs instead of layers dealt out.
        main_gpu: The GPU of the cache where rows are split.
        gpu_layers: So many layers on the GPUs, the output being one; None: all.
        cpu_moe: All experts in host memory.
        n_cpu_moe: The experts of so many layers in host memory.
        override_tensor: "PATTERN=DEVICE,…" or several such: tensors whose names match the regular expression are put on
            that device, as in "exps=CPU" or "blk.1[0-9].=CUDA1"; the first that matches counts.
        flash_attn: Whether it is used.
        swa_full: Sliding-window layers keep the whole context.
        kv_unified: Sequences share the context.
        mla: 0 to 3: how latent attention is kept; None: as the version does.
        amb: MiB of scores at once, as -amb of ik_llama.cpp; 0: all; None: 512.
        op_offload: False: weights in host memory are not copied to a GPU for large batches.
        pipeline: False for backends that keep no copies of inputs for several GPUs, as Vulkan.
        runtime_version: A build of llama.cpp such as "b5400", or "ik" for ik_llama.cpp.
        gpu_memory_utilization: Of vLLM.
        max_num_batched_tokens: Of vLLM.
        weight_type: Of transformers and training: number format of the weights, as in "bf16"; "": as in the file.
        optimizer: Of training: "sgd", "momentum", "adamw" or "adamw8bit".
        precision: Of training: "f32", "mixed" or "bf16".
        sharding: Of training: what is spread over the GPUs: "none", "optimizer", "gradients" or "full".
        checkpointing: Of training: activations are computed again.
        accumulation: Of training: gradients of earlier steps are kept.
        lora_rank: Of training: adapters of this rank for every matrix, alone; 0: every weight is trained.

    Raises:
        FileNotFoundError: There is no such model.
        ValueError: The file or an argument makes no sense, or the snapshot does not tell what is free on each GPU; the
            message names it.

    Example:
        >>> import json, tempfile
        >>> with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
        ...     json.dump({"arch": "llama", "n_layer": 32, "n_embd": 4096, "n_head": 32, "n_head_kv": 8}, file)
        ...     file.flush()
        ...     needed = estimate(hparams=file.name, context=8192)
        >>> needed.kv_cache == 1024**3
        True
        >>> from dualgpuopt.memory import MemoryMonitor
        >>> with MemoryMonitor("sim:demo") as monitor:
        ...     needed = estimate("llama2-7b", gpus=monitor.wait_for_snapshot())
        >>> needed.fits, needed.free_provenance
        (True, 'simulated')
    """
    request = estimate_request(locals())
    answer, is_missing, message = _core.estimate(runtime, request, os.fsencode(profiles or ""))
    if answer is None:
        raise FileNotFoundError(message) if is_missing else ValueError(message)
    return _estimate(json.loads(answer), gpus.provenance if isinstance(gpus, Snapshot) else None)


def request_with(model: Path | None, options: dict[str, Any]) -> _core.EstimateRequest:
    """The request of `estimate(model, **options)`; TypeError for a keyword that it does not have."""
    defaults: dict[str, Any] = estimate.__kwdefaults__ or {}
    unknown = sorted(set(options) - set(defaults))
    if unknown:
        raise TypeError(f"{unknown[0]} is no keyword of estimate; expected one of {', '.join(defaults)}")
    return estimate_request({**defaults, "model": model, **options})


# The keywords of `estimate` that the core takes as they are, with its names for them.
_FIELDS = {
    "context": "context",
    "parallel": "parallel",
    "ubatch": "micro_batch",
    "kv_type_k": "key_type",
    "kv_type_v": "value_type",
    "split_rows": "split_rows",
    "main_gpu": "main_gpu",
    "gpu_layers": "gpu_layers",
    "cpu_moe": "cpu_moe",
    "n_cpu_moe": "host_expert_layers",
    "flash_attn": "flash_attention",
    "swa_full": "full_window",
    "kv_unified": "unified",
    "mla": "latent",
    "amb": "attention_limit",
    "op_offload": "host_ops_on_gpu",
    "pipeline": "pipeline",
    "runtime_version": "version",
    "gpu_memory_utilization": "utilization",
    "max_num_batched_tokens": "batched_tokens",
    "weight_type": "weight_type",
    "optimizer": "optimizer",
    "precision": "precision",
    "sharding": "sharding",
    "checkpointing": "checkpointing",
    "accumulation": "accumulation",
    "lora_rank": "lora_rank",
}


def _set(request: _core.EstimateRequest, keyword: str, field: str, value: Any) -> None:
    try:
        setattr(request, field, value)
    except TypeError:
        raise TypeError(f"{keyword}: {value!r} is not of the type that estimate takes") from None


def _free_on(device: DeviceSnapshot) -> int:
    """As `gpumem estimate --free` takes it."""
    name = f"gpus: GPU {device.device.gpu}"
    if device.status != "ok" or device.memory is None:
        raise ValueError(f"{name} is {device.status}: {device.reason}")
    if device.memory.free is None:
        raise ValueError(f"{name}: it is not known what is free")
    return device.memory.free


def _free_in(snapshot: Snapshot) -> list[int]:
    """On every GPU but partitioned ones, whose memory is their instances'."""
    free = [_free_on(device) for device in snapshot.devices if device.device.kind != "partitioned"]
    if not free:
        raise ValueError("gpus: there is no GPU in this snapshot")
    return free


def _bytes_free(size: Any) -> str:
    try:
        return f"{operator.index(size)}B"
    except TypeError:
        expected = 'whole numbers as in [24 << 30], or one text as in "24GiB,16GiB"'
        raise TypeError(f"gpus: {size!r} is no number of bytes that are free; expected {expected}") from None


def _sizes(gpus: int | str | Sequence[int] | Snapshot) -> str:
    if isinstance(gpus, (int, str)):
        return str(gpus)
    return ",".join(_bytes_free(size) for size in (_free_in(gpus) if isinstance(gpus, Snapshot) else gpus))


def estimate_request(given: dict[str, Any]) -> _core.EstimateRequest:
    """The arguments of `estimate`, by name, as the core takes them."""
    split = given["split"]
    request = _core.EstimateRequest()
    request.model = os.fspath(given["model"]) if given["model"] is not None else ""
    request.hparams = os.fspath(given["hparams"]) if given["hparams"] is not None else ""
    request.gpus = _sizes(given["gpus"])
    request.split = split if isinstance(split, str) else ",".join(repr(float(share)) for share in split or ())
    overrides = given["override_tensor"]
    _set(request, "override_tensor", "override_tensor", [overrides] if isinstance(overrides, str) else overrides or [])
    for keyword, field in _FIELDS.items():
        _set(request, keyword, field, given[keyword])
    return request
