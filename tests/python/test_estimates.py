"""How much memory a model needs."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from conftest import GIB
from dualgpuopt.memory import MemoryMonitor
from dualgpuopt.memory.metrics import Snapshot
from dualgpuopt.memory.predictor import estimate

LLAMA_3_8B = {
    "arch": "llama",
    "model": "Llama 3 8B",
    "n_layer": 32,
    "n_embd": 4096,
    "n_head": 32,
    "n_head_kv": 8,
    "n_ff": 14336,
    "n_vocab": 128256,
    "n_ctx_train": 8192,
    "file_type": "Q4_K - Medium",
}


@pytest.fixture
def hparams(tmp_path: Path) -> Path:
    file = tmp_path / "hparams.json"
    file.write_text(json.dumps(LLAMA_3_8B))
    return file


def test_is_what_llama_cpp_prints(hparams: Path) -> None:
    needed = estimate(hparams=hparams, context=8192)
    gpu, host = needed.devices
    assert (needed.runtime, needed.context, needed.kv_cache) == ("llama.cpp", 8192, GIB)
    assert gpu.weights / 2**20 == pytest.approx(4403.49, abs=0.5)
    assert host.weights / 2**20 == pytest.approx(281.81, abs=0.5)
    assert (needed.fits, needed.missing, needed.weights_exact) == (None, (), False)


def test_says_whether_it_fits(hparams: Path) -> None:
    assert estimate(hparams=hparams, gpus=[8 * GIB]).fits
    assert estimate(hparams=hparams, gpus="8GiB,8GiB", split="3,1") == estimate(
        hparams=hparams, gpus=[8 * GIB] * 2, split=[3, 1]
    )
    with pytest.raises(TypeError, match=r"gpus: '24GiB' is no number of bytes that are free; expected whole numbers"):
        estimate(hparams=hparams, gpus=["24GiB"])  # type: ignore[list-item]
    tight = estimate(hparams=hparams, gpus=[4 * GIB, 2 * GIB], context=32768)
    assert tight.fits is False
    assert any(tight.missing)
    assert tight.remedies
    smaller = estimate(hparams=hparams, gpus=[8 * GIB], kv_type_k="q8_0", kv_type_v="q8_0")
    assert smaller.kv_cache < GIB


def test_arguments_reach_their_place(hparams: Path) -> None:
    split = estimate(hparams=hparams, gpus=2, split=[3, 1])
    assert [device.layers for device in split.devices] == [25, 7, 0]
    assert estimate(hparams=hparams, gpu_layers=10).devices[1].layers == 23  # the output is one of the ten
    assert estimate(hparams=hparams, gpu_layers=10, runtime_version="b6000").devices[1].layers == 22
    rows = estimate(hparams=hparams, gpus=2, split_rows=True, main_gpu=1)
    assert rows.devices[0].kv_cache == 0
    assert estimate(hparams=hparams, flash_attn=False).devices[0].compute > 500 * 2**20
    assert estimate(hparams=hparams, parallel=4, kv_unified=True).kv_cache == GIB


def test_vllm(hparams: Path) -> None:
    needed = estimate(hparams=hparams, runtime="vllm", gpus=[24 * GIB], gpu_memory_utilization=0.5)
    assert needed.runtime == "vllm"
    assert needed.tokens is not None
    assert needed.tokens * 131072 <= needed.kv_cache
    assert needed.devices == ()


def test_transformers(hparams: Path) -> None:
    needed = estimate(hparams=hparams, runtime="transformers", context=4096, parallel=2, weight_type="bf16")
    assert needed.runtime == "transformers"
    assert needed.kv_cache == GIB
    assert needed.devices[0].weights == pytest.approx(2 * 8.03e9, rel=0.01)
    assert estimate(hparams=hparams, runtime="transformers", gpus=[8 * GIB], weight_type="bf16").remedies


def test_training(hparams: Path) -> None:
    needed = estimate(hparams=hparams, runtime="training", context=2048, gpus=[80 * GIB], precision="f32")
    need = needed.training
    assert need is not None
    assert need.gradients == pytest.approx(4 * 8.03e9, rel=0.01)
    assert need.optimizer == pytest.approx(2 * need.gradients, rel=0.01)
    assert need.peak in ("loss", "backward pass", "optimizer's step")
    assert needed.fits is False
    assert needed.missing == (need.total + need.context_overhead - 80 * GIB,)
    small = estimate(hparams=hparams, runtime="training", lora_rank=8, checkpointing=True, context=2048).training
    assert small is not None
    assert small.gradients < need.gradients / 100
    assert small.activations < need.activations


def test_options_of_the_compute_buffer(hparams: Path) -> None:
    split = {"hparams": hparams, "gpus": 2, "context": 8192}
    assert estimate(**split, pipeline=False).devices[0].compute < estimate(**split).devices[0].compute
    half = {"hparams": hparams, "gpu_layers": 10, "runtime_version": "b6000"}  # the output stays in host memory
    assert estimate(**half, op_offload=False).devices[0].compute < estimate(**half).devices[0].compute


def test_what_would_still_fit(hparams: Path) -> None:
    assert estimate(hparams=hparams).limits is None
    sizes = {"hparams": hparams, "gpus": [6 * GIB, 4 * GIB]}
    limits = estimate(**sizes, context=8192).limits
    assert limits is not None
    assert limits.context is not None
    assert limits.parallel is not None
    assert limits.split is not None
    assert estimate(**sizes, context=limits.context.amount).fits
    assert not estimate(**sizes, context=limits.context.amount + 256).fits
    assert estimate(**sizes, context=8192 * limits.parallel.amount, parallel=limits.parallel.amount).fits
    assert not estimate(**sizes, context=8192 * (limits.parallel.amount + 1), parallel=limits.parallel.amount + 1).fits
    assert limits.gpu_layers == (33, limits.gpu_layers.margin) if limits.gpu_layers else False
    best = estimate(**sizes, context=8192, split=list(limits.split.layers))
    assert [device.layers for device in best.devices[:2]] == [limits.split.layers[0], limits.split.layers[1] - 1]
    assert limits.split.margin >= 0
    training = estimate(hparams=hparams, runtime="training", gpus=[80 * GIB], lora_rank=8, context=512).limits
    assert training is not None
    assert training.gpu_layers is None
    assert training.split is None


def test_tensors_are_placed_by_name(hparams: Path) -> None:
    usual = estimate(hparams=hparams)
    placed = estimate(hparams=hparams, override_tensor=r"blk\.[0-7]\.ffn_.*=CPU")
    assert usual.placed == 0
    assert placed.placed == placed.devices[1].weights - usual.devices[1].weights
    assert estimate(hparams=hparams, override_tensor=["ffn_up=CPU", "ffn_down=CPU"]).placed > 0
    with pytest.raises(ValueError, match=r'override_tensor: "ffn\(=CPU": at character 5'):
        estimate(hparams=hparams, override_tensor="ffn(=CPU")
    with pytest.raises(ValueError, match="there is no CUDA1 where there are 1 GPUs"):
        estimate(hparams=hparams, override_tensor="ffn=CUDA1")
    with pytest.raises(TypeError, match="override_tensor: 3 is not of the type"):
        estimate(hparams=hparams, override_tensor=3)  # type: ignore[arg-type]


def test_a_value_of_the_wrong_type_is_named(hparams: Path) -> None:
    with pytest.raises(TypeError, match="ubatch: 'many' is not of the type"):
        estimate(hparams=hparams, ubatch="many")  # type: ignore[arg-type]


def test_what_is_wrong_is_named(hparams: Path, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"no\.gguf: there is no such file"):
        estimate(tmp_path / "no.gguf")
    with pytest.raises(ValueError, match="this is not a GGUF file"):
        estimate(hparams.rename(tmp_path / "text.gguf"))
    with pytest.raises(ValueError, match="give a model"):
        estimate()
    with pytest.raises(ValueError, match=r"expected llama\.cpp, vllm, transformers or training"):
        estimate(runtime="other")
    (tmp_path / "empty.json").write_text("{}")
    with pytest.raises(ValueError, match=r"empty\.json: the key \"n_embd\" is missing"):
        estimate(hparams=tmp_path / "empty.json")


def test_what_is_no_file_names_a_profile() -> None:
    needed = estimate("llama2-7b", context=1000, parallel=2, gpus=[24 * GIB])
    assert (needed.runtime, needed.model, needed.devices) == ("profile", "llama2-7b", ())
    assert needed.profile is not None
    base, per_batch, per_token, total = needed.profile
    assert base == 7 * GIB
    assert total == base + 2 * per_batch + 1000 * per_token
    assert needed.fits
    assert needed.limits is not None
    assert needed.limits.parallel is not None
    assert needed.limits.gpu_layers is None
    small = estimate("llama2-7b", context=1000, gpus=[4 * GIB])
    assert small.fits is False
    assert small.missing[0] > 3 * GIB


def test_a_file_has_more_profiles(tmp_path: Path) -> None:
    file = tmp_path / "ours.toml"
    file.write_text('[[profile]]\nname = "ours"\nbase = "1GiB"\nper_batch = 0\nper_token = 0\n')
    needed = estimate("ours", profiles=file, gpus=[2 * GIB])
    assert needed.profile == (GIB, 0, 0, GIB)
    assert needed.limits is not None
    assert needed.limits.context is not None
    assert needed.limits.context.amount is None  # tokens cost nothing
    with pytest.raises(FileNotFoundError, match="nor a profile of that name: there are llama2-7b"):
        estimate("ours")
    with pytest.raises(ValueError, match="is a profile, of no runtime"):
        estimate("llama2-7b", runtime="vllm")


def test_takes_what_is_free_from_a_snapshot(hparams: Path) -> None:
    with MemoryMonitor("sim:demo") as monitor:
        snapshot = monitor.wait_for_snapshot()
    free = [device.memory.free for device in snapshot.devices if device.memory]
    by_sizes = estimate(hparams=hparams, gpus=free)
    by_snapshot = estimate(hparams=hparams, gpus=snapshot)
    assert by_snapshot.free_provenance == "simulated"
    assert by_sizes.free_provenance is None
    assert by_snapshot._replace(free_provenance=None) == by_sizes


def with_device(snapshot: Snapshot, **changes: object) -> Snapshot:
    first, *others = snapshot.devices
    return snapshot._replace(devices=(first._replace(**changes), *others))


def test_a_snapshot_that_does_not_tell_is_refused(hparams: Path) -> None:
    with MemoryMonitor("sim:demo") as monitor:
        snapshot = monitor.wait_for_snapshot()
    first = snapshot.devices[0]
    assert first.memory is not None
    unknown = first.reading._replace(memory=first.memory._replace(free=None))
    cases = (
        (with_device(snapshot, status="stale", reason="the driver hangs"), "GPU 0 is stale: the driver hangs"),
        (with_device(snapshot, reading=unknown), "GPU 0: it is not known what is free"),
        (snapshot._replace(devices=()), "there is no GPU"),
    )
    for told, message in cases:
        with pytest.raises(ValueError, match=message):
            estimate(hparams=hparams, gpus=told)


def test_a_partitioned_gpu_is_its_instances(hparams: Path) -> None:
    with MemoryMonitor("sim:demo") as monitor:
        snapshot = monitor.wait_for_snapshot()
    partitioned = snapshot.devices[0].device._replace(kind="partitioned")
    needed = estimate(hparams=hparams, gpus=with_device(snapshot, device=partitioned))
    assert len(needed.devices) == len(snapshot.devices)  # the other GPUs, and the host
