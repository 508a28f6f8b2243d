#include "dualgpuopt/memory/recovery/ladder.h"
