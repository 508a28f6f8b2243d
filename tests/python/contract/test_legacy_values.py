"""The legacy values: enums, statistics, alerts, the default profiles. No GPU is needed."""

from __future__ import annotations

import dataclasses
import time
from types import ModuleType
from typing import Any

import pytest

GIB, MIB, KIB = 1 << 30, 1 << 20, 1 << 10


@pytest.mark.parametrize(
    ("enum", "members"),
    [
        ("MemoryUnit", ["BYTES", "KB", "MB", "GB"]),
        ("MemoryAlertLevel", ["NORMAL", "WARNING", "CRITICAL", "EMERGENCY"]),
        ("MemoryRecoveryStrategy", ["REDUCE_BATCH", "CLEAR_CACHE", "OFFLOAD", "TERMINATE"]),
    ],
)
def test_enums_count_from_one(legacy: ModuleType, enum: str, members: list[str]) -> None:
    assert [(member.name, member.value) for member in getattr(legacy, enum)] == [
        (name, number) for number, name in enumerate(members, 1)
    ]


def test_an_enum_member_is_no_number(legacy: ModuleType) -> None:
    assert legacy.MemoryAlertLevel.WARNING != 2


@pytest.fixture
def stats(legacy: ModuleType) -> Any:
    return legacy.GPUMemoryStats(1, 8 * GIB, 6 * GIB, 2 * GIB, 512 * MIB, 256 * MIB, {7: GIB}, 123.0)


def test_statistics_have_eight_fields(legacy: ModuleType) -> None:
    names = [one.name for one in dataclasses.fields(legacy.GPUMemoryStats)]
    assert names == (
        [
            "gpu_id",
            "total_memory",
            "used_memory",
            "free_memory",
            "reserved_memory",
            "cached_memory",
            "process_memory",
            "timestamp",
        ]
    )


def test_statistics_defaults_are_fresh(legacy: ModuleType) -> None:
    before = time.time()
    one, other = legacy.GPUMemoryStats(0, 10, 4, 6), legacy.GPUMemoryStats(0, 10, 4, 6)
    assert (one.reserved_memory, one.cached_memory, one.process_memory) == (0, 0, {})
    assert before <= one.timestamp <= time.time()
    one.process_memory[1] = 1
    assert other.process_memory == {}


def test_a_timestamp_of_zero_is_kept(legacy: ModuleType) -> None:
    assert legacy.GPUMemoryStats(0, 10, 4, 6, timestamp=0.0).timestamp == 0.0


def test_statistics_are_mutable_and_equal_by_field(legacy: ModuleType) -> None:
    one, other = (legacy.GPUMemoryStats(0, 10, 4, 6, timestamp=1.0) for _ in range(2))
    assert one == other
    other.used_memory = 5
    assert one != other and other.usage_percent() == 50


@pytest.mark.parametrize(
    ("total", "used", "percent"), [(8, 2, 25), (10, 11, 110), (0, 5, 0), (-1, 5, 0), (3, 1, 100 / 3)]
)
def test_usage_percent_is_not_clamped(legacy: ModuleType, total: int, used: int, percent: float) -> None:
    assert legacy.GPUMemoryStats(0, total, used, total - used).usage_percent() == pytest.approx(percent)


@pytest.mark.parametrize(("unit", "divisor"), [("BYTES", 1), ("KB", 1024), ("MB", 1024**2), ("GB", 1024**3)])
def test_memory_in_each_unit(legacy: ModuleType, stats: Any, unit: str, divisor: int) -> None:
    memory = stats.get_memory(legacy.MemoryUnit[unit])
    expected = {"total": 8 * GIB, "used": 6 * GIB, "free": 2 * GIB, "reserved": 512 * MIB, "cached": 256 * MIB}
    assert memory == {key: value / divisor for key, value in expected.items()}
    assert list(memory) == list(expected)
    assert {type(value) for value in memory.values()} == {float}


def test_memory_is_in_gibibytes_unless_told(stats: Any) -> None:
    assert stats.get_memory()["used"] == 6.0


@pytest.mark.parametrize("unit", ["GB", 4, None, object()])
def test_what_is_no_unit_is_refused(stats: Any, unit: object) -> None:
    with pytest.raises(KeyError):
        stats.get_memory(unit)


def test_as_dict(stats: Any) -> None:
    assert list(stats.as_dict().items()) == [
        ("gpu_id", 1),
        ("total_memory_bytes", 8 * GIB),
        ("used_memory_bytes", 6 * GIB),
        ("free_memory_bytes", 2 * GIB),
        ("reserved_memory_bytes", 512 * MIB),
        ("cached_memory_bytes", 256 * MIB),
        ("usage_percent", 75.0),
        ("process_memory", {7: GIB}),
        ("timestamp", 123.0),
    ]
    assert stats.as_dict()["process_memory"] is stats.process_memory


@pytest.fixture
def alert(legacy: ModuleType) -> Any:
    return legacy.MemoryAlert(legacy.MemoryAlertLevel.CRITICAL, 1, "It is full", 91.26, 90)


def test_an_alert_in_words(alert: Any) -> None:
    assert str(alert) == "[GPU 1] CRITICAL: It is full (91.3% > 90.0%)"


def test_an_alert_has_what_it_was_given(legacy: ModuleType) -> None:
    context, advice = {"a": 1}, ["do"]
    alert = legacy.MemoryAlert(legacy.MemoryAlertLevel.WARNING, 0, "m", 81.0, 80.0, 5.0, advice, context)
    assert (alert.level, alert.gpu_id, alert.message) == (legacy.MemoryAlertLevel.WARNING, 0, "m")
    assert (alert.current_usage, alert.threshold, alert.timestamp) == (81.0, 80.0, 5.0)
    assert (alert.recommendations, alert.context) == (["do"], {"a": 1})


def test_alert_defaults_are_not_shared(legacy: ModuleType, alert: Any) -> None:
    other = legacy.MemoryAlert(legacy.MemoryAlertLevel.CRITICAL, 1, "It is full", 91.26, 90)
    assert (alert.recommendations, alert.context) == ([], {})
    alert.recommendations.append("x")
    alert.context["x"] = 1
    assert (other.recommendations, other.context) == ([], {})
    assert abs(alert.timestamp - time.time()) < 60


def test_an_alert_is_a_plain_class(legacy: ModuleType, alert: Any) -> None:
    assert not dataclasses.is_dataclass(legacy.MemoryAlert)
    assert alert == alert and alert != legacy.MemoryAlert(alert.level, 1, "It is full", 91.26, 90, alert.timestamp)
    alert.message = "changed"
    assert "changed" in str(alert)


def test_an_alert_of_the_epoch_keeps_its_time(legacy: ModuleType) -> None:
    assert legacy.MemoryAlert(legacy.MemoryAlertLevel.WARNING, 0, "m", 81.0, 80.0, timestamp=0.0).timestamp == 0.0


def test_the_default_profiles(legacy: ModuleType) -> None:
    found = [
        (name, p.name, p.base_usage, p.per_batch_usage, p.per_token_usage, p.growth_rate, p.recovery_buffer)
        for name, p in legacy.DEFAULT_PROFILES.items()
    ]
    assert found == [
        (name, name, base * GIB, batch * MIB, token * KIB, 1.05, 0.85)
        for name, base, batch, token in [
            ("llama2-7b", 7, 50, 3),
            ("llama2-13b", 13, 100, 5),
            ("llama2-70b", 35, 350, 18),
            ("mistral-7b", 8, 55, 3),
            ("mixtral-8x7b", 25, 200, 12),
        ]
    ]
