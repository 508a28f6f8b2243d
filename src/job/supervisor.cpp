#include "job/supervisor.h"

#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>

#include "core/format.h"
#include "dualgpuopt/memory/processes/driver_pids.h"
#include "job/job_signalling.h"

namespace dualgpuopt::memory::job {
namespace {

constexpr Duration kTick = std::chrono::milliseconds(100);
/// After SIGKILL what is stuck in the kernel is left behind.
constexpr Duration kPatienceAfterKill = std::chrono::seconds(1);
/// The kernel may take its time to take down the memory of a large process.
constexpr Duration kPatienceWithLeader = std::chrono::minutes(1);

Sight look_for_sight() { return DriverPids().can_be_mapped() ? Sight::Clear : Sight::OtherNamespace; }

template <typename... Handlers>
struct Overloaded : Handlers... {
  using Handlers::operator()...;
};
template <typename... Handlers>
Overloaded(Handlers...) -> Overloaded<Handlers...>;

}  // namespace

void become_reaper() { ::prctl(PR_SET_CHILD_SUBREAPER, 1); }

Supervisor::Supervisor(JobOptions options, Parts parts, pid_t job)
    : options_(std::move(options)),
      parts_(std::move(parts)),
      job_(job),
      started_(parts_.clock.now()),
      watch_(options_.rules),
      members_(ProcessTable(), ::getpid(), job),
      statistics_(started_),
      sight_(look_for_sight()),
      pressure_(options_.pressure_command, options_.pressure_limit, parts_.signals) {}

bool Supervisor::wait_for_driver(Duration patience) {
  const auto until = parts_.clock.now() + patience;
  while (!parts_.memory.wait_until_open(Duration::zero())) {
    if (parts_.clock.now() >= until) return false;
    const auto signal = parts_.signals.wait(kTick / 10);
    if (signal && JobSignals::is_passed_on(*signal) && *signal != SIGTSTP) interrupted_by_ = signal;
    if (interrupted_by_) return false;
  }
  return parts_.memory.monitor() != nullptr;
}

RunRecord Supervisor::run() {
  started_ = parts_.clock.now();
  statistics_ = JobStatistics(started_);
  while (!is_over()) {
    if (const auto signal = parts_.signals.wait(end_ ? kTick / 10 : kTick)) answer(*signal);
    look_after_children();
    look_at_memory();
    act();
  }
  return finish();
}

bool Supervisor::is_over() const {
  const auto since_kill = killed_at_ ? parts_.clock.now() - *killed_at_ : Duration::zero();
  if (!end_) return since_kill > kPatienceWithLeader;
  return !watch_.has_terminated() || since_kill > kPatienceAfterKill || members_.living().empty();
}

void Supervisor::answer(int signal) {
  if (signal == SIGCONT) go_on();
  if (JobSignals::is_passed_on(signal)) ::kill(-job_, signal);
}

void Supervisor::look_after_children() {
  for (;;) {
    siginfo_t child{};
    const int seen = ::waitid(P_ALL, 0, &child, WEXITED | WSTOPPED | WNOHANG | WNOWAIT);
    if (seen != 0 || child.si_pid == 0 || !take_child(child.si_pid, child.si_code, child.si_status)) return;
  }
}

/// The leader is left as it is when it has ended: until the very end its number names the job. False then.
bool Supervisor::take_child(pid_t child, int code, int status) {
  const bool has_ended = code != CLD_STOPPED;
  if (child == job_ && has_ended) {
    end_ = code == CLD_EXITED ? CommandEnd{status, 0} : CommandEnd{0, status};
    return false;
  }
  siginfo_t taken{};
  ::waitid(P_PID, static_cast<id_t>(child), &taken, (has_ended ? WEXITED : WSTOPPED) | WNOHANG);
  if (child == job_) follow_stop(status);
  if (has_ended && pressure_.has_ended(child)) watch_.pressure_command_ended(parts_.clock.now());
  return true;
}

/// As its shell would have seen the command stop, it sees us stop. A job that only wants the keyboard gets it, where
/// that is ours to give; one that nobody could wake up again goes on, and so does one that we were continued for
/// before we saw it stop. SIGSTOP was somebody's own will.
void Supervisor::follow_stop(int signal) {
  const bool wants_terminal = signal == SIGTTIN || signal == SIGTTOU;
  const bool may_have_it = wants_terminal && parts_.terminal.is_ours();
  if (may_have_it) parts_.terminal.give_to(job_);
  if (may_have_it || (signal == SIGTSTP && is_orphaned())) {
    ::kill(-job_, SIGCONT);
  } else if (parts_.signals.take(SIGCONT)) {
    go_on();
  } else if (wants_terminal || signal == SIGTSTP) {
    stop_with_job();
  }
}

/// With all of our own group, as a script would stop with the command it runs. Whoever continues the group before we
/// stop takes our SIGTSTP back with it.
void Supervisor::stop_with_job() {
  parts_.terminal.take_back_from(job_);
  ::kill(0, SIGTSTP);
  parts_.signals.let_act(SIGTSTP);
}

void Supervisor::go_on() {
  if (parts_.terminal.is_for_job_at_once()) parts_.terminal.give_to(job_);
  ::kill(-job_, SIGCONT);
}

void Supervisor::look_at_memory() {
  const auto now = parts_.clock.now();
  if (const auto news = parts_.memory.take_news()) take_memory(*news);
  for (const auto& alert : parts_.memory.take_alerts()) watch_.take(alert);
  if (pressure_.enforce_limit(now)) {
    parts_.say(format_text("the pressure command took longer than {} and is killed",
                           format_duration(options_.pressure_limit)));
  }
  watch_.let_pass(now);
  parts_.memory.set_process_interval(options_.interval.value_or(watch_.wanted_pace(now - started_, now)));
}

void Supervisor::take_memory(const Snapshot& snapshot) {
  members_.forget_ended();
  const auto is_member = [&](const ProcessMemory& process) { return members_.contains(process.pid); };
  const auto memory = add_up(snapshot, is_member, sight_);
  if (!memory) return;
  const auto now = parts_.clock.now();
  statistics_.add(*memory, now);
  watch_.take(*memory, now);
}

void Supervisor::act() {
  for (const auto& action : watch_.take_actions()) act_on(action);
}

void Supervisor::act_on(const JobAction& action) {
  std::visit(Overloaded{[&](const Notice& notice) { parts_.say(notice.text); },
                        [&](const RunPressureCommand& run) { run_pressure_command(run.cause); },
                        [&](const SignalJob& order) {
                          if (order.signal == SIGKILL) killed_at_ = parts_.clock.now();
                          signal_job(job_, members_, order.signal);
                        }},
             action);
}

void Supervisor::run_pressure_command(const PressureCause& cause) {
  const auto now = parts_.clock.now();
  const auto started = pressure_.start(cause, job_, now);
  if (started) return members_.exclude(*started);
  parts_.say("the pressure command does not run: " + started.error().describe());
  watch_.pressure_command_ended(now);
}

RunRecord Supervisor::finish() {
  pressure_.kill();
  parts_.terminal.take_back_from(job_);
  const auto now = parts_.clock.now();
  RunRecord record;
  record.ended = parts_.clock.stamp();
  record.command = options_.command;
  record.job = job_;
  record.priority = options_.priority ? to_string(*options_.priority) : "";
  record.end = end_.value_or(CommandEnd{0, SIGKILL});  // sent, but it is stuck
  record.wall = now - started_;
  record.budget = options_.rules.budget;
  record.terminated_for = watch_.terminated_for();
  record.killed = watch_.has_killed();
  record.pressures = watch_.pressures();
  record.pressure_runs = watch_.pressure_runs();
  record.still_running = members_.living().size();
  if (const auto* monitor = parts_.memory.monitor()) {
    record.source = monitor->source_name();
    record.provenance = monitor->provenance();
  }
  record.not_measured = parts_.memory.monitor() ? statistics_.reason() : parts_.memory.why_none();
  if (record.not_measured.empty()) record.not_measured = "the command ended before the first reading";
  record.peak = statistics_.total();
  record.peak_by_gpu = statistics_.by_gpu();
  record.samples = statistics_.samples();
  record.unknown_for = statistics_.unknown_for(now);
  record.unknown_reason = statistics_.reason();
  return record;
}

}  // namespace dualgpuopt::memory::job
