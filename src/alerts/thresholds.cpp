#include "dualgpuopt/memory/alerts/thresholds.h"
