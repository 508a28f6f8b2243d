#include "dualgpuopt/memory/metrics/device.h"
