#include "dualgpuopt/memory/recovery/climb.h"
