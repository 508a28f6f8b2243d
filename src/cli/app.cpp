#include "cli/app.h"

#include <CLI/CLI.hpp>
#include <algorithm>

#include "cli/command.h"

namespace dualgpuopt::memory::cli {
namespace {

/// Monitoring plugins say UNKNOWN for what they cannot make sense of.
constexpr int kCheckUsage = 3;

/// env(1) and its like say this for their own failures, as every other code may be the command's.
constexpr int kRunUsage = 125;

int usage_code(const CLI::App& app) {
  if (app.got_subcommand("run")) return kRunUsage;
  return app.got_subcommand("check") ? kCheckUsage : kUsage;
}

bool takes_value(const CLI::App& app, const std::string& word) {
  const auto* option = app.get_option_no_throw(word);
  return option != nullptr && option->get_items_expected_max() > 0;
}

/// The words, with "--" before the command of `run` where the user left it out: from its first word on nothing is an
/// option of ours.
std::vector<std::string> mark_command(std::vector<std::string> words, const CLI::App& app) {
  if (words.empty() || words.front() != "run") return words;
  const auto& run = *app.get_subcommand("run");
  std::size_t at = 1;
  while (at < words.size() && words[at].starts_with("-") && words[at] != "--") {
    at += takes_value(run, words[at]) ? 2 : 1;
  }
  if (at < words.size() && words[at] != "--") words.insert(words.begin() + static_cast<std::ptrdiff_t>(at), "--");
  return words;
}

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
  add_run(app, action);
  add_recover(app, action);
  try {
    auto words = mark_command({argv + std::min(argc, 1), argv + argc}, app);
    std::reverse(words.begin(), words.end());  // as this way to parse wants them
    app.parse(std::move(words));
  } catch (const CLI::ParseError& error) {
    return end_of_parsing(app, error);
  }
  return action();
}

}  // namespace dualgpuopt::memory::cli
