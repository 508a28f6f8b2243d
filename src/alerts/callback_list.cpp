#include "dualgpuopt/memory/alerts/callback_list.h"

#include <exception>

namespace dualgpuopt::memory {
namespace {

/// Only within a catch (...). Does not return when that caught the end of the thread: it is no C++ exception, which is
/// how it is known, and the runtime ends the program if it is not let through.
std::string describe_current_exception() {
  const auto current = std::current_exception();
  if (!current) throw;
  try {
    std::rethrow_exception(current);
  } catch (const std::exception& error) {
    return error.what();
  } catch (...) {
    return "an exception that says nothing of itself (it is no std::exception)";
  }
}

}  // namespace

void report_current_exception(const CallbackErrorHook& hook) {
  const auto what = describe_current_exception();
  if (!hook) return;
  try {
    hook(what);
  } catch (...) {
    (void)describe_current_exception();  // there is nobody left to tell
  }
}

}  // namespace dualgpuopt::memory
