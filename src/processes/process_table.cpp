#include "dualgpuopt/memory/processes/process_table.h"
