
#include <array>
#include <cerrno>
#include <fstream>
#include <iostream>
#include <system_error>

#include "cli/command.h"
#include "core/format.h"
#include "dualgpuopt/memory/oom/oom_advice.h"
#include "dualgpuopt/memory/oom/oom_report.h"
#include "dualgpuopt/memory/oom/oom_scanner.h"

namespace dualgpuopt::memory::cli {
namespace {

struct ExplainOptions {
  std::string file = "-";
  bool json = false;
};

void scan(std::istream& log, OomScanner& scanner) {
  for (std::array<char, 1 << 16> block; log.read(block.data(), block.size()), log.gcount() > 0;)
    scanner.feed({block.data(), static_cast<std::size_t>(log.gcount())});
}

std::string show(const OomError& error) {
  auto text =
      format_text("{}{}.\n", describe(error), error.times > 1 ? format_text(" (seen {} times)", error.times) : "");
  for (const auto& measure : measures_against(error)) text += "  - " + measure + "\n";
  return text;
}

Error unreadable(const std::string& file, int problem) {
  const auto code = problem == ENOENT ? ErrorCode::NotFound : ErrorCode::Io;
  return {code, format_text("{}: it cannot be read: {}", file, std::generic_category().message(problem))};
}

Result<void> scan_file(const std::string& name, OomScanner& scanner) {
  errno = 0;
  std::ifstream file(name, std::ios::binary);
  if (!file) return fail(unreadable(name, errno));
  scan(file, scanner);
  if (file.bad()) return fail(unreadable(name, errno));
  return {};
}

int explain(const ExplainOptions& options) {
  OomScanner scanner;
  if (options.file == "-") {
    scan(std::cin, scanner);
  } else if (const auto read = scan_file(options.file, scanner); !read) {
    return report(read.error());
  }
  const auto errors = scanner.finish();
  if (errors.empty()) {
    print_text(stderr, "gpumem: there is no out-of-memory error in this log that gpumem knows\n");
    return kFailure;
  }
  std::string text;
  for (const auto& error : errors) text += options.json ? to_json(error) + "\n" : show(error);
  if (scanner.omitted() > 0)
    print_text(stderr, "gpumem: {} more errors were of further kinds, which are not shown\n", scanner.omitted());
  Output output;
  const auto written = output.write(text);
  return written ? kFine : report(written.error());
}

}  // namespace

void add_explain_oom(CLI::App& app, Action& action) {
  auto* command =
      app.add_subcommand("explain-oom", "What an out-of-memory error in a log says, and what is likely to help");
  const auto options = std::make_shared<ExplainOptions>();
  command->add_option("FILE", options->file, "The log; - or none: standard input");
  command->add_flag("--json", options->json, "One JSON line for each error");
  command->footer("Example: gpumem explain-oom train.log");
  command->callback([&action, options] { action = [options] { return explain(*options); }; });
}

}  // namespace dualgpuopt::memory::cli
