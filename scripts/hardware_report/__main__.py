"""Looks at one GPU in every way this report knows, and writes the document. Ends with 1 where something disagrees."""

from __future__ import annotations

import argparse
import os
import platform
import sys
from collections.abc import Callable, Sequence
from datetime import datetime, timezone
from functools import partial
from pathlib import Path

from . import footprint, steps, witnesses
from .gpumem import Gpumem, look
from .holders import ChildHolder, Holder, StandInHolder
from .markdown import Section, not_run
from .nvml import Nvml, call_costs
from .stand_in import Stage, staged

ROOT = Path(__file__).resolve().parents[2]
LIBRARY = "libnvidia-ml.so.1"


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="scripts/hardware-report", description=__doc__, allow_abbrev=False)
    parser.add_argument("--gpumem", type=Path, required=True, help="the binary; built if left out")
    parser.add_argument("--gpu", type=int, default=0, help="the driver's index of the GPU to fill (0)")
    parser.add_argument("--output", type=Path, default=ROOT / "docs" / "hardware-report.md")
    parser.add_argument("--stand-in", type=Path, metavar="FOLDER", help="try it on the stand-in driver in this folder")
    parser.add_argument("--torch-python", default=sys.executable, help="the Python that has PyTorch")
    parser.add_argument("--quick", action="store_true", help="fewer steps, shorter measurements")
    return parser.parse_args()


def steps_sections(gpumem: Gpumem, stage: Stage, plan: steps.Plan, gpu: int, torch_python: str) -> list[Section]:
    by_cuda, by_torch = "Memory taken in steps through libcuda", "Memory taken in steps through PyTorch"
    if stage.live:
        acted_out = partial(StandInHolder, gpu, stage.live)
        title = "Memory taken in steps, acted out by the stand-in driver"
        reason = "the stand-in driver has no libcuda"
        return [steps.section(title, gpumem, plan, acted_out), not_run(by_cuda, reason), not_run(by_torch, reason)]
    holders: dict[str, Callable[[], Holder]] = {
        by_cuda: partial(ChildHolder, "cuda_holder.py", gpu, gpumem.environment),
        by_torch: partial(ChildHolder, "torch_holder.py", gpu, gpumem.environment, torch_python),
    }
    return [steps.section(title, gpumem, plan, holder) for title, holder in holders.items()]


def heading(gpumem: Gpumem, library: str, gpu: int, on_stand_in: bool) -> list[str]:
    with Nvml(library, gpu) as nvml:
        driver, name = nvml.driver_version(), nvml.name()
    origin = (
        "**This has not run on hardware.** What follows was acted out by the stand-in driver of the tests "
        "(nvml-stand-in.md): it shows that the script works and says nothing about any GPU. On a machine with an "
        "NVIDIA GPU, `scripts/hardware-report` replaces this page."
        if on_stand_in
        else "Measured on real hardware."
    )
    facts = [
        f"date: {datetime.now(timezone.utc):%Y-%m-%d %H:%M} UTC",
        f"GPU: {name}",
        f"driver: {driver}",
        f"system: {platform.system()} {platform.machine()}",
        f"gpumem: {gpumem.run('--version').stdout.strip()}",
    ]
    return ["# Hardware report", "", origin, "", *(f"- {fact}" for fact in facts)]


def conclusion(sections: Sequence[Section]) -> list[str]:
    failures = [failure for section in sections for failure in section.failures]
    if not failures:
        return ["", "Everything that ran agrees."]
    return ["", f"{len(failures)} things do not agree:", "", *(f"- {failure}" for failure in failures)]


def document(head: Sequence[str], sections: Sequence[Section]) -> str:
    lines = [*head, *conclusion(sections)]
    for section in sections:
        lines += ["", f"## {section.title}", "", *section.lines]
    return "\n".join(lines) + "\n"


def uuid_of(gpumem: Gpumem, gpu: int) -> str:
    for device in look(gpumem).values():
        if device.gpu == gpu:
            return device.uuid
    raise RuntimeError(f"gpumem shows no GPU {gpu}")


def report(options: argparse.Namespace, stage: Stage) -> int:
    if not os.access(options.gpumem, os.X_OK):
        raise FileNotFoundError(f"no program {options.gpumem}; leave --gpumem out and it is built")
    gpumem = Gpumem(options.gpumem.resolve(), stage.environment)
    library = str(options.stand_in.resolve() / LIBRARY) if options.stand_in else LIBRARY
    plan = steps.Plan(uuid_of(gpumem, options.gpu), 8 if options.quick else 16, 0.83 if options.quick else 1.57)
    sections = [
        *witnesses.comparisons(gpumem),
        *steps_sections(gpumem, stage, plan, options.gpu, options.torch_python),
        call_costs(library, options.gpu, 100 if options.quick else 2000),
        footprint.section(gpumem, len(look(gpumem)), 2.0 if options.quick else 15.0),
    ]
    head = heading(gpumem, library, options.gpu, options.stand_in is not None)
    options.output.write_text(document(head, sections))
    failures = [failure for section in sections for failure in section.failures]
    print("\n".join([*failures, f"Wrote {options.output}"]))
    return 1 if failures else 0


def main() -> int:
    options = arguments()
    try:
        with staged(options.stand_in and options.stand_in.resolve()) as stage:
            return report(options, stage)
    except (OSError, RuntimeError) as error:
        print(f"scripts/hardware-report: {error}", file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main())
