#include "dualgpuopt/memory/sources/recording.h"
