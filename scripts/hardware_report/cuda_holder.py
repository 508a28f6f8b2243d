"""Holds memory of one GPU through libcuda, as told on stdin: `hold BYTES` more, `free` all. Answers each line with one.

python3 cuda_holder.py GPU
"""

from __future__ import annotations

import ctypes
import sys


class Cuda:
    def __init__(self, gpu: int) -> None:
        self.library = ctypes.CDLL("libcuda.so.1")
        self.blocks: list[ctypes.c_uint64] = []
        device, context = ctypes.c_int(), ctypes.c_void_p()
        self.call("cuInit", ctypes.c_uint(0))
        self.call("cuDeviceGet", ctypes.byref(device), ctypes.c_int(gpu))
        self.call("cuCtxCreate_v2", ctypes.byref(context), ctypes.c_uint(0), device)

    def call(self, name: str, *arguments: object) -> None:
        code = getattr(self.library, name)(*arguments)
        if code != 0:
            raise RuntimeError(f"{name} returns CUDA code {code}")

    def hold(self, amount: int) -> None:
        block = ctypes.c_uint64()
        self.call("cuMemAlloc_v2", ctypes.byref(block), ctypes.c_size_t(amount))
        self.blocks.append(block)

    def free(self) -> None:
        while self.blocks:
            self.call("cuMemFree_v2", self.blocks.pop())


def main() -> None:
    try:
        cuda = Cuda(int(sys.argv[1]))
        print("ready", flush=True)
        for line in sys.stdin:
            command, *amount = line.split()
            cuda.hold(int(amount[0])) if command == "hold" else cuda.free()
            print("done", flush=True)
    except (OSError, RuntimeError, AttributeError) as error:
        print(f"failed: {error}", flush=True)


main()
