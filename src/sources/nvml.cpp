#include "dualgpuopt/memory/sources/nvml.h"
