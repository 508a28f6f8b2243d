#include "core/format.h"

namespace dualgpuopt::memory {

std::string format_arguments(fmt::string_view format, fmt::format_args arguments) {
  return fmt::vformat(format, arguments);
}

}  // namespace dualgpuopt::memory
