#include "cli/app.h"

#include <CLI/CLI.hpp>

#include "cli/command.h"

namespace dualgpuopt::memory::cli {
namespace {

/// Monitoring plugins say UNKNOWN for what they cannot make sense of.
constexpr int kCheckUsage = 3;

int usage_code(const CLI::App& app) { return app.got_subcommand("check") ? kCheckUsage : kUsage; }

int end_of_parsing(const CLI::App& app, const CLI::ParseError& error) {
  const int code = app.exit(error);  // prints the help, the version or what was wrong
  return code == 0 ? kFine : usage_code(app);
}

}  // namespace

int run(int argc, const char* const* argv) {
  CLI::App app("Watches GPU memory, says before it happens that a GPU will run out, and frees memory in time.",
               "gpumem");
  app.set_version_flag("--version", "gpumem " DUALGPUOPT_VERSION);
  app.require_subcommand(1);
  app.get_formatter()->column_width(28);

  Action action;
  add_status(app, action);
  add_watch(app, action);
  add_record(app, action);
  add_replay(app, action);
  add_check(app, action);
  add_estimate(app, action);
  add_explain_oom(app, action);
  add_recover(app, action);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return end_of_parsing(app, error);
  }
  return action();
}

}  // namespace dualgpuopt::memory::cli
