#include "cli/app.h"

int main(int argc, char** argv) { return dualgpuopt::memory::cli::run(argc, argv); }
