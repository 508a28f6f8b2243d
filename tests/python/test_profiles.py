"""Profiles of models before they are loaded, profiles that are learned, and profiles in files."""

from __future__ import annotations

import json
import math
import pickle
import resource
import signal
import string
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conftest import GIB
from dualgpuopt.memory.predictor import (
    DEFAULT_PROFILES,
    LearnedSize,
    MemoryProfile,
    Profile,
    ProfileLearner,
    estimate,
    load_profiles,
    save_profiles,
)

MIB = 1024**2
KIB = 1024
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
GEMMA_3_4B = {
    "arch": "gemma3",
    "n_layer": 34,
    "n_embd": 2560,
    "n_head": 8,
    "n_head_kv": 4,
    "n_embd_head_k": 256,
    "n_embd_head_v": 256,
    "n_ff": 10240,
    "n_vocab": 262208,
    "n_swa": 1024,
    "n_ctx_train": 131072,
    "file_type": "Q8_0",
}


@pytest.fixture
def hparams(tmp_path: Path) -> Path:
    file = tmp_path / "hparams.json"
    file.write_text(json.dumps(LLAMA_3_8B))
    return file


def values_of(profile: MemoryProfile) -> tuple[Any, ...]:
    sizes = (profile.base_usage, profile.per_batch_usage, profile.per_token_usage)
    return (profile.name, *sizes, profile.growth_rate, profile.recovery_buffer)


# Of a model -----------------------------------------------------------------------------------------------------------


def needed(**options: Any) -> int:
    """The estimate's sum over the GPUs."""
    devices = estimate(**options).devices
    return sum(device.total + device.context_overhead for device in devices if device.device != "host")


def test_the_profile_is_a_memory_profile() -> None:
    assert Profile is MemoryProfile


def test_of_a_model_is_what_the_estimate_says(hparams: Path) -> None:
    profile = MemoryProfile.from_model(hparams=hparams, context=8192)
    assert (profile.name, profile.per_token_usage, profile.per_batch_usage) == ("Llama 3 8B", 128 * KIB, 0)
    for context in (4096, 8192, 16384, 65536):
        assert profile.estimate_usage(1, context) == needed(hparams=hparams, context=context)


def test_of_a_model_takes_the_keywords_of_estimate(hparams: Path) -> None:
    small = MemoryProfile.from_model(hparams=hparams, kv_type_k="q8_0", kv_type_v="q8_0", gpus=2, flash_attn=True)
    assert small.per_token_usage == 64 * KIB * 17 / 16 + 2 * 4 * 2 * 512  # and the f16 mask, four times on each GPU
    assert small.estimate_usage(1, 8192) == needed(hparams=hparams, kv_type_k="q8_0", kv_type_v="q8_0", gpus=2)
    named = MemoryProfile.from_model(hparams=hparams, name="mine", growth_rate=1.2, recovery_buffer=0.5)
    assert (named.name, named.growth_rate, named.recovery_buffer) == ("mine", 1.2, 0.5)
    vllm = MemoryProfile.from_model(hparams=hparams, runtime="vllm", gpus=[80 * GIB])
    assert vllm.per_token_usage == 128 * KIB
    assert vllm.per_batch_usage == 8 * 128256


def test_of_a_windowed_model_is_close_above_its_window(tmp_path: Path) -> None:
    file = tmp_path / "gemma.json"
    file.write_text(json.dumps(GEMMA_3_4B))
    profile = MemoryProfile.from_model(hparams=file, context=32768)
    for context in (4096, 8192, 16384, 32768, 131072):
        assert profile.estimate_usage(1, context) == pytest.approx(needed(hparams=file, context=context), rel=0.005)
    for sequences in (2, 8):
        wanted = needed(hparams=file, context=32768, parallel=sequences, kv_unified=True)
        assert profile.estimate_usage(sequences, 32768) == pytest.approx(wanted, rel=0.005)
    steep = MemoryProfile.from_model(hparams=file, context=1024, context_low=512)
    assert steep.per_token_usage > 3 * profile.per_token_usage


def test_a_subclass_makes_its_own(hparams: Path) -> None:
    class Mine(MemoryProfile):
        pass

    assert type(Mine.from_model(hparams=hparams)) is Mine


def test_what_is_wrong_with_a_model_is_named(hparams: Path, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"no\.gguf: there is no such file"):
        MemoryProfile.from_model(tmp_path / "no.gguf")
    with pytest.raises(ValueError, match="give a model"):
        MemoryProfile.from_model()
    with pytest.raises(ValueError, match=r"expected llama\.cpp or vllm"):
        MemoryProfile.from_model(hparams=hparams, runtime="other")
    with pytest.raises(ValueError, match="context_low: 9000 is not less than the context, 8192"):
        MemoryProfile.from_model(hparams=hparams, context_low=9000)
    with pytest.raises(ValueError, match="gpus: a profile needs at least one"):
        MemoryProfile.from_model(hparams=hparams, gpus=0)
    with pytest.raises(TypeError, match="contxt is no keyword of estimate; expected one of hparams, profiles, runtime"):
        MemoryProfile.from_model(hparams=hparams, contxt=3)


# Learned --------------------------------------------------------------------------------------------------------------


def learned(*observations: tuple[int, int, int]) -> ProfileLearner:
    learner = ProfileLearner()
    for batch, tokens, used in observations:
        learner.observe(batch, tokens, used)
    return learner


counts = st.integers(min_value=0, max_value=1 << 16)


@given(st.integers(0, 1 << 40), st.integers(0, 1 << 32), st.integers(0, 1 << 20), counts, counts)
def test_exact_observations_give_the_exact_profile(base: int, batch: int, token: int, n: int, tokens: int) -> None:
    truth = MemoryProfile("p", base, batch, token)
    settings = [(0, 0), (1, 0), (1, 512), (n + 2, tokens + 513)]
    fit = learned(*((b, t, truth.estimate_usage(b, t)) for b, t in settings)).fit()
    assert values_of(fit.profile("p")) == values_of(truth)
    assert (fit.settings, fit.outliers, fit.lacking) == (4, 0, "")


def test_what_cannot_be_told_is_not_invented() -> None:
    learner = learned((1, 100, 7000), (1, 200, 7300))
    fit = learner.fit()
    assert (fit.base, fit.per_batch, fit.per_token) == (None, None, LearnedSize(3, None))
    with pytest.raises(ValueError, match="not known yet: the batch was always 1"):
        fit.profile("p")
    learner.observe(0, 0, 6650)
    assert learner.fit().profile("p").base_usage == 6650


def test_says_how_sure_it_is() -> None:
    noise = [3, -2, 1, -3, 2, -1, 0, 2]
    settings = [(0, 0), (1, 100), (1, 200), (2, 100), (2, 400), (4, 100), (4, 400), (8, 800)]
    fit = learned(*((b, t, 7000 + 50 * b + 3 * t + e) for (b, t), e in zip(settings, noise))).fit()
    assert fit.per_token is not None
    assert fit.per_token.error is not None
    assert abs(fit.per_token.bytes - 3) <= 4 * fit.per_token.error + 0.5
    assert 0.5 < fit.residual < 3


def test_an_allocator_that_keeps_what_it_has_and_a_spike_do_not_mislead() -> None:
    truth = MemoryProfile("p", 7 * GIB, 50 * MIB, 3000)
    kept = 0
    learner = ProfileLearner()
    for batch, tokens in [(0, 0), (1, 512), (4, 512), (2, 512), (4, 2048), (1, 64), (8, 2048), (8, 512), (8, 8192)]:
        kept = max(kept, truth.estimate_usage(batch, tokens))
        learner.observe(batch, tokens, kept)
    learner.observe(16, 8192, truth.estimate_usage(16, 8192) + 3 * GIB)
    learner.observe(16, 16384, truth.estimate_usage(16, 16384))
    learner.observe(32, 16384, truth.estimate_usage(32, 16384))
    fit = learner.fit()
    assert values_of(fit.profile("p")) == values_of(truth)
    assert (fit.observations, fit.held, fit.settings, fit.outliers) == (12, 3, 9, 1)


def test_a_learner_takes_only_what_makes_sense() -> None:
    learner = ProfileLearner()
    for wrong in [(-1, 0, 0), (0, -1, 0), (0, 0, -1), (2**30 + 1, 0, 0), (0, 2**64, 0), (0, 0, 2**50 + 1)]:
        with pytest.raises(ValueError, match=r"^(batch|tokens|used): "):
            learner.observe(*wrong)
    with pytest.raises(ValueError, match="jitter: -1 is negative"):
        ProfileLearner(jitter=-1)
    assert learner.fit().observations == 0
    learner.observe(0, 0, 5)
    learner.reset()
    assert learner.fit().lacking == "nothing was observed yet"


# In files -------------------------------------------------------------------------------------------------------------

names = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20)
sizes = st.one_of(
    st.integers(0, 2**63 - 1),
    st.builds(lambda n, shift: n << shift, st.integers(0, 1 << 20), st.sampled_from([10, 20, 30])),
)
finite = st.floats(allow_nan=False, allow_infinity=False)
profiles = st.lists(
    st.builds(MemoryProfile, names, sizes, sizes, sizes, finite, finite), max_size=6, unique_by=lambda each: each.name
)


@given(profiles)
def test_a_round_trip_loses_nothing(tmp_path_factory: pytest.TempPathFactory, saved: list[MemoryProfile]) -> None:
    file = tmp_path_factory.mktemp("profiles") / "profiles.toml"
    save_profiles(file, saved)
    loaded = load_profiles(file)
    assert [values_of(profile) for profile in loaded.values()] == [values_of(profile) for profile in saved]
    assert list(loaded) == [profile.name for profile in saved]


def test_the_default_profiles_are_saved_as_the_dictionary_that_they_are(tmp_path: Path) -> None:
    save_profiles(str(tmp_path / "default.toml"), DEFAULT_PROFILES)
    loaded = load_profiles(tmp_path / "default.toml")
    assert {name: values_of(profile) for name, profile in loaded.items()} == {
        name: values_of(profile) for name, profile in DEFAULT_PROFILES.items()
    }
    assert 'base = "7GiB"\nper_batch = "50MiB"\nper_token = "3KiB"' in (tmp_path / "default.toml").read_text()


def test_the_history_is_not_saved(tmp_path: Path) -> None:
    profile = MemoryProfile("p", 1, 2, 3)
    profile.update_history(5)
    save_profiles(tmp_path / "p.toml", [profile])
    assert load_profiles(tmp_path / "p.toml")["p"].usage_history == []
    assert len(pickle.loads(pickle.dumps(profile)).usage_history) == 1


def test_a_file_without_the_optional_numbers_has_the_usual_ones(tmp_path: Path) -> None:
    file = tmp_path / "p.toml"
    file.write_text("[[profile]]\nname = 'p'\nbase = '1.5 GiB'\nper_batch = 2\nper_token = 3\n")
    assert values_of(load_profiles(file)["p"]) == ("p", 3 * GIB // 2, 2, 3, 1.05, 0.85)


@pytest.mark.parametrize("value", [-1, 2**63, 1.5, math.nan, math.inf])
@pytest.mark.parametrize("field", ["base_usage", "per_batch_usage", "per_token_usage"])
def test_sizes_that_a_file_cannot_hold_are_named(tmp_path: Path, field: str, value: float) -> None:
    profile = MemoryProfile("p", 1, 2, 3)
    setattr(profile, field, value)
    with pytest.raises(ValueError, match=f"the profile 'p' cannot be saved: its {field} is "):
        save_profiles(tmp_path / "p.toml", [profile])
    assert list(tmp_path.iterdir()) == []


def test_whole_numbers_in_floating_point_are_saved(tmp_path: Path) -> None:
    save_profiles(tmp_path / "p.toml", [MemoryProfile("p", 7.0, 2, 3)])  # type: ignore[arg-type]
    assert load_profiles(tmp_path / "p.toml")["p"].base_usage == 7


def test_what_is_wrong_with_a_profile_is_named(tmp_path: Path) -> None:
    file = tmp_path / "p.toml"
    with pytest.raises(ValueError, match="another has the same name"):
        save_profiles(file, [MemoryProfile("p", 1, 2, 3), MemoryProfile("p", 1, 2, 3)])
    with pytest.raises(ValueError, match="it has no name"):
        save_profiles(file, [MemoryProfile("", 1, 2, 3)])
    with pytest.raises(ValueError, match="its name is no Unicode text"):
        save_profiles(file, [MemoryProfile("\ud800", 1, 2, 3)])
    with pytest.raises(ValueError, match="is not finite"):
        save_profiles(file, [MemoryProfile("p", 1, 2, 3, growth_rate=math.nan)])
    assert not file.exists()


def test_what_is_wrong_with_a_file_is_named(tmp_path: Path) -> None:
    file = tmp_path / "p.toml"
    with pytest.raises(FileNotFoundError, match=r"p\.toml: cannot be read: No such file"):
        load_profiles(file)
    file.write_text("[[profile]]\nname = 'p'\nbase = 'much'\n")
    with pytest.raises(ValueError, match=r"p\.toml: line 3, column 8: base: cannot read \"much\" as a size"):
        load_profiles(file)
    file.write_text("[[profile]]\nname = 'p'\nbase = 1\nper_batch = 1\nper_token = 1\ncolour = 1\n")
    with pytest.raises(ValueError, match=r"line 6, column 1: unknown key \"colour\""):
        load_profiles(file)
    with pytest.raises(OSError, match="cannot be read: Is a directory"):
        load_profiles(tmp_path)
    with pytest.raises(FileNotFoundError, match="cannot be written"):
        save_profiles(tmp_path / "none" / "p.toml", [])


def test_any_name_of_a_file_will_do(tmp_path: Path) -> None:
    for name in (string.punctuation.replace("/", ""), "café 世", "tab\tline\n", "\udcff"):
        save_profiles(tmp_path / name, [MemoryProfile("p", 1, 2, 3)])
        assert list(load_profiles(tmp_path / name)) == ["p"]


def test_a_full_disk_loses_nothing(tmp_path: Path) -> None:
    file = tmp_path / "p.toml"
    save_profiles(file, [MemoryProfile("p", 1, 2, 3)])
    usual = resource.getrlimit(resource.RLIMIT_FSIZE)
    former = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (64, usual[1]))
    try:
        with pytest.raises(OSError, match="cannot be written: File too large"):
            save_profiles(file, DEFAULT_PROFILES)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, usual)
        signal.signal(signal.SIGXFSZ, former)
    assert list(load_profiles(file)) == ["p"]
    assert list(tmp_path.iterdir()) == [file]
    with pytest.raises(OSError, match="No space left on device"):
        save_profiles("/dev/full", DEFAULT_PROFILES)
