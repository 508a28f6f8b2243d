#!/usr/bin/env python3
"""gpumem run as its users see it: exit codes, signals, terminals, daemons, budgets, and drivers that misbehave.

The stand-in driver is told by the job itself what its processes hold (docs/nvml-stand-in.md, live control).
"""

import json
import os
import pathlib
import pty
import re
import select
import signal
import subprocess
import sys
import tempfile
import time
import unittest

GPUMEM = pathlib.Path(sys.argv.pop(1)).resolve()
FAKES = pathlib.Path(sys.argv.pop(1)).resolve()
SANITIZED = any(name in str(GPUMEM) for name in ("asan", "tsan"))
GIB = 1 << 30
# With other process numbers than the driver's nothing can be said of any job here.
NUMBERS_ARE_OURS = os.readlink("/proc/self/ns/pid") == "pid:[4026531836]"
ONE_GPU = '[[gpu]]\ntotal = "24GiB"\n'
TWO_GPUS = ONE_GPU * 2

# hold SIZE [PID [GPU]]: what the driver says from now on that a process holds, alone.
HOLD = """
hold() {
  printf '[[set]]\\ngpu = %s\\npid = %s\\nused = "%s"\\n' "${3:-0}" "${2:-$$}" "$1" > "$NVML_FAKE_LIVE.new"
  mv "$NVML_FAKE_LIVE.new" "$NVML_FAKE_LIVE"
}
forever() { while :; do read -t 1 _ <> "$FOLDER/never" || :; done; }
"""


def alive(pid):
    try:
        return "\nState:\tZ" not in pathlib.Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return False


def is_stopped(pid):
    return "\nState:\tT" in pathlib.Path(f"/proc/{pid}/status").read_text()


class Run(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        os.mkfifo(self.folder / "never")

    def until(self, condition, what="it happens", seconds=30):
        deadline = time.monotonic() + seconds
        while not (value := condition()):
            self.assertLess(time.monotonic(), deadline, f"waited in vain until {what}")
            time.sleep(0.01)
        return value

    def until_file(self, name):
        path = self.folder / name
        self.until(lambda: path.exists() and path.read_text(), f"{name} is there")
        return path.read_text().strip()

    def environment(self, scenario):
        environment = os.environ | {"FOLDER": str(self.folder), "NVML_FAKE_LIVE": str(self.folder / "live.toml")}
        if scenario is not None:
            story = self.folder / "story.toml"
            story.write_text(scenario)
            environment |= {"LD_LIBRARY_PATH": str(FAKES / "nvml-550"), "NVML_FAKE_SCENARIO": str(story)}
        return environment

    def command(self, *words, script=None):
        return [GPUMEM, "run", *words, *(["--", "bash", "-c", HOLD + script] if script else [])]

    def start(self, *words, script=None, scenario=None, **options):
        options = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE} | options
        process = subprocess.Popen(self.command(*words, script=script), text=True, env=self.environment(scenario), **options)
        self.addCleanup(process.kill)
        return process

    def finish(self, process):
        out, err = process.communicate(timeout=60)
        return subprocess.CompletedProcess(process.args, process.returncode, out, err)

    def run_gpumem(self, *words, **options):
        return self.finish(self.start(*words, **options))

    def record(self):
        return json.loads((self.folder / "record.jsonl").read_text().splitlines()[-1])


class TheCommandsOwn(Run):
    def test_exit_codes(self):
        for script, code in (("exit 0", 0), ("exit 3", 3), ("kill -TERM $$", 143), ("kill -KILL $$", 137), ("kill -INT $$", 130)):
            self.assertEqual(self.run_gpumem(script=script).returncode, code, script)

    def test_what_cannot_be_run(self):
        for command, code, words in (("no-such-command", 127, "No such file"), ("/etc/passwd", 126, "Permission denied")):
            ended = self.run_gpumem("--", command)
            self.assertEqual(ended.returncode, code)
            self.assertIn(words, ended.stderr)
            self.assertIn(command, ended.stderr)

    def test_our_own_failures(self):
        for words in ([], ["--nonsense", "--", "true"], ["--gpu-budget", "much", "--", "true"], ["--grace", "x", "--", "true"],
                      ["--gpu-budget", "0:1GiB,0:2GiB", "--", "true"], ["--on-pressure-timeout", "x", "--", "true"],
                      ["--interval", "0s", "--", "true"], ["--timeout", "x", "--", "true"],
                      ["--priority", "11", "--", "true"], ["--priority", "", "--", "true"], ["--config", "/nonexistent", "--", "true"],
                      ["--json", "/nonexistent/record", "--", "true"],
                      ["--gpu-budget", "", "--", "true"], ["--on-pressure", "", "--", "true"]):
            ended = self.run_gpumem(*words)
            self.assertEqual(ended.returncode, 125, words)
            self.assertTrue(ended.stderr.strip())

    def test_words_after_the_command_are_the_commands(self):
        self.assertEqual(self.run_gpumem("echo", "--json", "-x", "--", "--grace").stdout, "--json -x -- --grace\n")
        self.assertEqual(self.run_gpumem("--grace", "1s", "--", "sh", "-c", "echo $0", "--help").stdout, "--help\n")

    def test_standard_input_and_output_are_untouched(self):
        echo = self.start("--", "cat", stdin=subprocess.PIPE)
        out, _ = echo.communicate("line\n\0bytes", timeout=60)
        self.assertEqual(out, "line\n\0bytes")

    def test_environment_and_group(self):
        ended = self.run_gpumem("--priority", "normal", script="echo $GPUMEM_JOB $$ $(ps -o pgid= $$) $GPUMEM_PRIORITY")
        job, leader, group, priority = ended.stdout.split()
        self.assertEqual((job, group, priority), (leader, leader, "normal"))

    def test_a_priority_is_the_kernels(self):
        score = "cat /proc/self/oom_score_adj"
        ours = subprocess.run(score.split(), capture_output=True, text=True).stdout
        self.assertEqual(self.run_gpumem("--priority", "normal", script=score).stdout, ours)
        self.assertGreaterEqual(int(self.run_gpumem("--priority", "low", script=score).stdout), 500)
        high = self.run_gpumem("--priority", "high", script=score)
        if high.returncode == 0:
            self.assertLessEqual(int(high.stdout), -500)
        else:
            self.assertEqual((high.returncode, high.stdout), (125, ""), "without the right nothing is started")
            self.assertIn("--priority high: ", high.stderr)
            self.assertIn("CAP_SYS_RESOURCE", high.stderr)

    def test_signals_are_as_without_us(self):
        look = ["grep", "-E", "Sig(Blk|Ign)|ShdPnd", "/proc/self/status"]
        bare = subprocess.run(look, capture_output=True, text=True)
        self.assertEqual(self.run_gpumem("--", *look).stdout, bare.stdout)
        nohup = ["nohup", "sh", "-c"]
        bare = subprocess.run([*nohup, " ".join(look)], capture_output=True, text=True)
        through = subprocess.run([*nohup, f"exec {GPUMEM} run -- {' '.join(look)}"], capture_output=True, text=True)
        self.assertEqual(through.stdout, bare.stdout)

    def test_signals_are_passed_on_to_the_group(self):
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGUSR1):
            name = number.name.removeprefix("SIG")
            ready = self.folder / name
            job = self.start(script=f"trap 'exit 7' {name}; echo $$ > {ready}; forever")
            self.until_file(name)
            job.send_signal(number)
            self.assertEqual(self.finish(job).returncode, 7, name)

    def test_a_kill_of_gpumem_ends_the_command(self):
        job = self.start(script="trap 'echo told > $FOLDER/told; exit' TERM; echo $$ > $FOLDER/pid; forever")
        leader = int(self.until_file("pid"))
        job.kill()
        self.assertEqual(self.until_file("told"), "told")
        self.until(lambda: not alive(leader), "the job has ended")

    def test_daemons_go_on_and_are_counted(self):
        ended = self.run_gpumem(script="(setsid sleep 1000 > /dev/null 2>&1 & echo $! > $FOLDER/pid); exit 4")
        daemon = int(self.until_file("pid"))
        self.addCleanup(os.kill, daemon, signal.SIGKILL)
        self.assertEqual(ended.returncode, 4)
        self.assertTrue(alive(daemon))
        self.assertIn("1 processes that it started go on", ended.stderr)

    def test_no_notice_can_end_it(self):
        reading, writing = os.pipe()
        os.close(reading)
        ended = self.run_gpumem(script="echo done", stderr=writing)
        os.close(writing)
        self.assertEqual((ended.returncode, ended.stdout), (0, "done\n"))


class OnATerminal(Run):
    def shell(self):
        """An interactive bash on a terminal of its own, which is our user."""
        pid, self.terminal = pty.fork()
        if pid == 0:
            os.execvpe("bash", ["bash", "--norc", "--noediting", "-i"], self.environment(None) | {"PS1": "> ", "TERM": "dumb"})
        self.addCleanup(os.waitpid, pid, 0)
        self.addCleanup(os.close, self.terminal)
        self.addCleanup(os.kill, pid, signal.SIGKILL)
        self.seen = ""
        self.expect("> ")

    def expect(self, pattern):
        deadline = time.monotonic() + 30
        while not (found := re.search(pattern, self.seen)):
            self.assertLess(time.monotonic(), deadline, f"waited for {pattern!r} in {self.seen!r}")
            if select.select([self.terminal], [], [], 0.1)[0]:
                self.seen += os.read(self.terminal, 4096).decode(errors="replace")
        self.seen = self.seen[found.end():]
        return found

    def type(self, text):
        os.write(self.terminal, text.encode())

    def test_ctrl_c_reaches_the_command(self):
        self.shell()
        self.type(f"{GPUMEM} run -- bash -c 'trap \"echo got it; exit 9\" INT; echo re\"\"ady; read x'; echo code=$?\n")
        self.expect("ready")
        self.type("\x03")
        self.expect("got it")
        self.expect("code=9")

    def test_a_command_without_a_trap_dies_of_ctrl_c(self):
        self.shell()
        self.type(f"{GPUMEM} run -- bash -c 'echo re\"\"ady; exec sleep 100'; echo code=$?\n")
        self.expect("ready")
        self.type("\x03")
        self.expect("code=130")

    def test_the_command_is_in_the_foreground_and_reads(self):
        self.shell()
        python = "import os; print('foreground', os.tcgetpgrp(0) == os.getpgrp()); print('read', input())"
        self.type(f"{GPUMEM} run -- {sys.executable} -c \"{python}\"\n")
        self.expect("foreground True")
        self.type("some words\n")
        self.expect("read some words")
        self.expect("exited with code 0")
        self.type('echo shell i""s back\n')
        self.expect("shell is back")

    def test_ctrl_z_and_fg(self):
        self.shell()
        self.type(f"{GPUMEM} run -- bash -c 'echo re\"\"ady; read x; echo read $x'; echo code=$?\n")
        self.expect("ready")
        self.type("\x1a")
        self.expect("Stopped")
        self.type("jobs\n")
        self.expect("Stopped")
        self.type("fg\n")
        self.expect("run -- ")
        self.type("after all\n")
        self.expect("read after all")

    def test_in_the_background_it_stops_when_it_reads(self):
        self.shell()
        self.type(f"{GPUMEM} run -- bash -c 'read x; echo read $x' & echo star\"\"ted\n")
        self.expect("started")
        self.until(lambda: self.type("jobs\n") or re.search("Stopped", self.drain()), "the shell sees it stopped")
        self.type("fg\n")
        self.expect("run -- ")
        self.type("in front\n")
        self.expect("read in front")

    def drain(self):
        while select.select([self.terminal], [], [], 0.1)[0]:
            self.seen += os.read(self.terminal, 4096).decode(errors="replace")
        return self.seen

    def test_in_a_pipeline_the_others_keep_the_keyboard(self):
        self.shell()
        self.type(f"{GPUMEM} run -- bash -c 'echo re\"\"ady; exec sleep 100' 2>&1 | bash -c 'trap \"\" INT; cat'; echo codes=${{PIPESTATUS[*]}}\n")
        self.expect("ready")
        self.type("\x03")
        self.expect("codes=130 0")

    def test_in_a_script_it_gets_the_keyboard_when_it_reads(self):
        script = self.folder / "script.sh"
        script.write_text(f"{GPUMEM} run -- bash -c 'echo re\"\"ady; read x; echo read $x'\n")
        self.shell()
        self.type(f"bash {script}\n")
        self.expect("ready")
        self.type("from a script\n")
        self.expect("read from a script")

    def test_in_a_script_ctrl_z_stops_and_fg_continues(self):
        script = self.folder / "script.sh"
        script.write_text(f"{GPUMEM} run -- bash -c 'echo re\"\"ady; until [ -e {self.folder}/go ]; do sleep 0.05; done; echo went on'\n")
        self.shell()
        self.type(f"bash {script}\n")
        self.expect("ready")
        self.type("\x1a")
        self.expect("Stopped")
        (self.folder / "go").touch()
        self.type("fg\n")
        self.expect("went on")
        self.expect("exited with code 0")

    def test_continued_before_it_saw_its_command_stop_it_does_not_stop_again(self):
        script = self.folder / "script.sh"
        wait = f"until [ -e {self.folder}/go ]; do read -t 0.05 _ <> {self.folder}/never; done"
        script.write_text(f"{GPUMEM} run -- bash -c 'echo pids $PPID $$ .; {wait}; echo went on'\n")
        self.shell()
        self.type(f"bash {script}\n")
        supervisor, leader = map(int, self.expect(r"pids (\d+) (\d+) \.").groups())
        os.kill(supervisor, signal.SIGSTOP)
        self.until(lambda: is_stopped(supervisor), "gpumem sees nothing")
        os.killpg(leader, signal.SIGTSTP)
        self.until(lambda: is_stopped(leader), "the command has stopped")
        os.kill(supervisor, signal.SIGCONT)
        (self.folder / "go").touch()
        self.expect("went on")
        self.expect("exited with code 0")

    def test_where_nobody_could_continue_it_ctrl_z_does_nothing(self):
        pid, self.terminal = pty.fork()
        if pid == 0:
            os.execv(GPUMEM, ["gpumem", "run", "--", "bash", "-c", "echo ready; read x; echo read $x"])
        self.seen = ""
        self.expect("ready")
        self.type("\x1a")
        self.type("on it goes\n")
        self.expect("read on it goes")
        self.expect("exited with code 0")
        self.assertEqual(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), 0)
        os.close(self.terminal)


class WithoutAGpu(Run):
    def setUp(self):
        super().setUp()
        if subprocess.run([GPUMEM, "status"], capture_output=True).returncode == 0:
            self.skipTest("this machine has a GPU")

    def test_the_command_runs_and_the_summary_says_why_nothing_was_measured(self):
        ended = self.run_gpumem("--json", str(self.folder / "record.jsonl"), "--", "sleep", "0.3")
        self.assertEqual(ended.returncode, 0)
        self.assertIn("GPU memory was not measured: no GPU was found", ended.stderr)
        record = self.record()
        self.assertIsNone(record["peak_bytes"])
        self.assertIsNone(record["provenance"])
        self.assertIn("no GPU was found", record["reason"])

    def test_a_budget_is_refused_before_anything_is_started(self):
        ended = self.run_gpumem("--gpu-budget", "1GiB", "--", "touch", self.folder / "started")
        self.assertEqual(ended.returncode, 125)
        self.assertIn("the command was not started", ended.stderr)
        self.assertFalse((self.folder / "started").exists())

    def test_unless_that_is_wanted(self):
        ended = self.run_gpumem("--gpu-budget", "1GiB", "--without-gpu", script="exit 5")
        self.assertEqual(ended.returncode, 5)
        self.assertIn("was not measured", ended.stderr)


class Partitioned(Run):
    MIG = '[[gpu]]\nkind = "mig"\n[[gpu.instance]]\nslot = 0\nuuid = "MIG-a"\n'

    def test_a_budget_is_for_an_instance(self):
        ended = self.run_gpumem("--gpu-budget", "0:1GiB", "--", "touch", self.folder / "started", scenario=self.MIG)
        self.assertEqual(ended.returncode, 125)
        self.assertIn("GPU 0 is partitioned", ended.stderr)
        self.assertFalse((self.folder / "started").exists())
        self.assertEqual(self.run_gpumem("--gpu-budget", "1:1GiB", "--", "true", scenario=self.MIG).returncode, 0)


class Simulated(Run):
    def test_everything_is_labelled_and_nothing_is_done(self):
        still = self.folder / "still.toml"
        still.write_text('title = "still"\n[[gpu]]\ntotal = "10GiB"\n[[gpu.process]]\npid = 1\nname = "job"\n'
                         '[[gpu.process.motion]]\nkind = "step"\namount = "9.5GiB"\n')
        ended = self.run_gpumem("--source", f"sim:{still}", "--gpu-budget", "4GiB", "--interval", "50ms", "--grace", "0s",
                                "--on-pressure", f"touch {self.folder}/ran", "--", "sleep", "1.5")
        self.assertEqual(ended.returncode, 0)
        for line in ended.stderr.splitlines():
            self.assertTrue(line.startswith("gpumem: SIMULATED: "), line)
        self.assertIn("holds 9.5 GiB, over its budget of 4.0 GiB; dry run", ended.stderr)
        self.assertIn("the pressure command is not run", ended.stderr)
        self.assertFalse((self.folder / "ran").exists())


@unittest.skipUnless(NUMBERS_ARE_OURS, "the driver's process numbers would not be ours in this container")
class WithADriver(Run):
    def budgeted(self, budget, script, *words, scenario=ONE_GPU):
        return self.run_gpumem("--gpu-budget", budget, "--interval", "50ms", "--json", str(self.folder / "record.jsonl"), *words,
                               script=script, scenario=scenario)

    def until_seen(self, size):
        return f"until grep -q {size} $FOLDER/seen 2>/dev/null; do :; done; "


class Memory(WithADriver):
    def test_the_peak_is_told_by_gpu_and_in_all(self):
        ended = self.run_gpumem("--interval", "50ms", "--json", str(self.folder / "record.jsonl"), scenario=TWO_GPUS,
                                script="hold 3GiB $$ 1; sleep 1")
        self.assertRegex(ended.stderr, r"peak GPU memory 3\.0 GiB after .* \(GPU 0 0 B after .*, GPU 1 3\.0 GiB after .*\), as \d+ samples from nvml")
        record = self.record()
        self.assertEqual(record["peak_bytes"], 3 * GIB)
        self.assertEqual({gpu["gpu"]: gpu["peak_bytes"] for gpu in record["gpus"]}, {0: 0, 1: 3 * GIB})
        self.assertEqual((record["provenance"], record["source"], record["unknown_s"]), ("driver", "nvml", 0.0))

    def test_a_short_job_is_seen_too(self):
        ended = self.run_gpumem(script="hold 2GiB; sleep 0.6", scenario=ONE_GPU)
        self.assertIn("peak GPU memory 2.0 GiB", ended.stderr)

    def test_the_record_may_take_the_place_of_the_summary(self):
        ended = self.run_gpumem("--json", "-", "--wake", script="exit 2", scenario=ONE_GPU)
        record = json.loads(ended.stderr)
        self.assertEqual((record["type"], record["exit_code"], record["command"][0]), ("run", 2, "bash"))

    def test_records_are_appended(self):
        for code in (0, 1):
            self.run_gpumem("--json", str(self.folder / "record.jsonl"), script=f"exit {code}", scenario=ONE_GPU)
        self.assertEqual([json.loads(line)["exit_code"] for line in (self.folder / "record.jsonl").read_text().splitlines()], [0, 1])

    def test_thresholds_are_those_of_the_configuration(self):
        config = self.folder / "config.toml"
        config.write_text("[thresholds.warning]\npercent = 5\n[thresholds.critical]\npercent = 10\n")
        ended = self.run_gpumem("--interval", "50ms", "--config", config, "--on-pressure", "touch $FOLDER/ran", scenario=ONE_GPU,
                                script="hold 5GiB; until [ -e $FOLDER/ran ]; do :; done")
        self.assertRegex(ended.stderr, "CRITICAL.*> 10.0%")

    def test_only_the_jobs_own_counts(self):
        others = ONE_GPU + f'[[gpu.process]]\npid = {os.getpid()}\nmotion = [{{kind = "step", amount = "5GiB"}}]\n'
        self.run_gpumem("--interval", "50ms", "--json", str(self.folder / "record.jsonl"), script="hold 1GiB; sleep 0.5", scenario=others)
        self.assertEqual(self.record()["peak_bytes"], GIB)

    def test_descendants_that_left_count(self):
        script = "(setsid sleep 1 & hold 2GiB $!); sleep 0.5"  # its parent, the subshell, ends
        self.run_gpumem("--interval", "50ms", "--json", str(self.folder / "record.jsonl"), script=script, scenario=ONE_GPU)
        self.assertEqual(self.record()["peak_bytes"], 2 * GIB)

    def test_what_runs_out_on_the_device_runs_the_pressure_command_and_ends_nothing(self):
        script = "hold 22GiB; until [ -s $FOLDER/reasons ]; do :; done; exit 6"
        ended = self.run_gpumem("--interval", "50ms", "--on-pressure",
                                "echo $GPUMEM_REASON $GPUMEM_GPU $GPUMEM_USED_BYTES ,$GPUMEM_BUDGET_BYTES, $GPUMEM_JOB >> $FOLDER/reasons",
                                script=script, scenario=ONE_GPU)
        self.assertEqual(ended.returncode, 6)
        self.assertIn("short of memory", ended.stderr)
        self.assertRegex(self.until_file("reasons"), r"^(critical|emergency|forecast) 0 \d+ ,, \d+")


class Budgets(WithADriver):
    def test_a_warning_at_nine_tenths(self):
        ended = self.budgeted("2GiB", "hold 1900MiB; sleep 1; exit 2")
        self.assertEqual(ended.returncode, 2)
        self.assertEqual(ended.stderr.count("near its budget of 2.0 GiB"), 1)

    def test_over_it_the_job_is_terminated(self):
        ended = self.budgeted("2GiB", "hold 3GiB; forever", "--grace", "300ms")
        self.assertEqual(ended.returncode, 143, ended.stderr)
        lines = [line.removeprefix("gpumem: ") for line in ended.stderr.splitlines()]
        self.assertRegex(lines[0], "the job holds 3.0 GiB, over its budget of 2.0 GiB: it has 300 ms to come back within; else SIGTERM")
        self.assertRegex(lines[1], "the job still holds 3.0 GiB, .* SIGTERM now")
        self.assertIn("it was terminated by SIGTERM because it held 3.0 GiB of a budget of 2.0 GiB", ended.stderr)
        record = self.record()
        self.assertEqual((record["end"], record["exit_code"], record["command_signal"]), ("budget", 143, 15))
        self.assertEqual(record["terminated_for"], {"gpu": None, "used_bytes": 3 * GIB, "budget_bytes": 2 * GIB})

    def test_one_that_ends_well_on_sigterm_was_terminated_all_the_same(self):
        ended = self.budgeted("2GiB", "trap 'exit 0' TERM; hold 3GiB; forever", "--grace", "200ms")
        self.assertEqual(ended.returncode, 143)
        self.assertEqual(self.record()["command_code"], 0)

    def test_one_that_ignores_sigterm_is_killed(self):
        ended = self.budgeted("2GiB", "trap '' TERM; hold 3GiB; forever", "--grace", "300ms")
        self.assertEqual(ended.returncode, 137)
        self.assertIn("SIGKILL now", ended.stderr)

    def test_a_stopped_one_ends_too(self):
        ended = self.budgeted("2GiB", "hold 3GiB; kill -STOP $$", "--grace", "300ms")
        self.assertEqual(ended.returncode, 143)

    def test_one_that_ends_by_itself_in_the_grace_has_its_own_code(self):
        ended = self.budgeted("2GiB", "hold 3GiB; until [ -e $FOLDER/pressed ]; do :; done; exit 11", "--grace", "60s",
                              "--on-pressure", "touch $FOLDER/pressed")
        self.assertEqual(ended.returncode, 11)
        self.assertNotIn("terminated by", ended.stderr)

    def test_a_command_that_frees_memory_keeps_the_job_alive(self):
        script = "trap 'hold 1GiB' USR1; hold 3GiB; until [ -e $FOLDER/stop ]; do read -t 0.1 _ <> $FOLDER/never; done; exit 0"
        job = self.start("--gpu-budget", "2GiB", "--interval", "50ms", "--grace", "500ms", "--on-pressure",
                         "env | grep ^GPUMEM_ | sort >> $FOLDER/ran; kill -USR1 $GPUMEM_JOB", script=script, scenario=ONE_GPU)
        said = ""
        while "nothing is terminated" not in said:
            line = job.stderr.readline()
            self.assertTrue(line, said)
            said += line
        (self.folder / "stop").touch()
        ended = self.finish(job)
        self.assertEqual(ended.returncode, 0, ended.stderr)
        told = (self.folder / "ran").read_text()
        self.assertEqual(told.count("GPUMEM_REASON=budget"), 1, "once")
        self.assertIn(f"GPUMEM_BUDGET_BYTES={2 * GIB}\nGPUMEM_GPU=\nGPUMEM_JOB=", told)
        self.assertIn(f"GPUMEM_USED_BYTES={3 * GIB}\n", told)
        self.assertIn("the pressure command ran 1 times", ended.stderr)

    def test_exits_while_the_pressure_command_hangs(self):
        script = "hold 3GiB; until [ -s $FOLDER/hook ]; do :; done; exit 12"
        started = time.monotonic()
        ended = self.budgeted("2GiB", script, "--on-pressure", "echo $$ > $FOLDER/hook; sleep 1000")
        self.assertEqual(ended.returncode, 12)
        self.assertLess(time.monotonic() - started, 20)
        hook = int(self.until_file("hook"))
        self.until(lambda: not alive(hook), "the hook is killed")

    def test_a_pressure_command_has_a_time_limit(self):
        ended = self.budgeted("2GiB", "hold 3GiB; forever", "--grace", "200ms", "--on-pressure", "sleep 1000",
                              "--on-pressure-timeout", "300ms")
        self.assertEqual(ended.returncode, 143)
        self.assertIn("the pressure command took longer than 300 ms and is killed", ended.stderr)

    def test_its_output_is_not_the_jobs(self):
        ended = self.budgeted("2GiB", "hold 3GiB; forever", "--grace", "100ms", "--on-pressure", "echo relief")
        self.assertEqual(ended.stdout, "")
        self.assertIn("\nrelief\n", ended.stderr)

    def test_of_each_gpu(self):
        ended = self.budgeted("0:8GiB,1:2GiB", "hold 3GiB $$ 1; forever", "--grace", "100ms", scenario=TWO_GPUS)
        self.assertEqual(ended.returncode, 143)
        self.assertIn("holds 3.0 GiB on GPU 1, over its budget of 2.0 GiB", ended.stderr)
        self.assertEqual(self.record()["terminated_for"]["gpu"], 1)

    def test_of_a_gpu_that_is_not_there(self):
        ended = self.budgeted("7:8GiB", "echo started")
        self.assertEqual((ended.returncode, ended.stdout), (125, ""))
        self.assertIn("there is no GPU 7", ended.stderr)

    def test_daemons_of_the_job_end_with_it(self):
        script = "(setsid bash -c 'trap \"\" TERM; while :; do sleep 0.1; done' & echo $! > $FOLDER/pid; hold 3GiB $!); forever"
        ended = self.budgeted("2GiB", script, "--grace", "200ms")
        self.assertEqual(ended.returncode, 137, "the daemon ignored SIGTERM")
        daemon = int(self.until_file("pid"))
        self.until(lambda: not alive(daemon), "it has ended")


class TheDriverMisbehaves(WithADriver):
    def fault(self, kind, **settings):
        return f'\n[[fault]]\nkind = "{kind}"\n' + "".join(f"{key} = {json.dumps(value)}\n" for key, value in settings.items())

    def test_it_does_not_tell_what_processes_hold(self):
        ended = self.budgeted("2GiB", "hold 3GiB; sleep 1; exit 3", "--grace", "0s", scenario='[[gpu]]\nkind = "wsl"\n')
        self.assertEqual(ended.returncode, 3)
        self.assertEqual(ended.stderr.count("the budget cannot be enforced"), 1)
        self.assertIn("WSL", ended.stderr)

    def test_a_device_is_lost(self):
        scenario = TWO_GPUS + self.fault("lost", at="600ms", gpu=0)
        ended = self.budgeted("2GiB", "hold 1GiB; sleep 1.5; hold 3GiB; sleep 1; exit 3", "--grace", "0s", scenario=scenario)
        self.assertEqual(ended.returncode, 3, ended.stderr)
        self.assertRegex(ended.stderr, "cannot be enforced, because what the job holds is not known: GPU 0: .*lost")
        self.assertRegex(ended.stderr, "for .* not all of it was known: GPU 0: ")
        self.assertEqual(self.record()["peak_bytes"], GIB)

    def test_it_refuses_its_lists(self):
        scenario = ONE_GPU + self.fault("error", gpu=0, call="ComputeRunningProcesses", code=4)
        ended = self.budgeted("2GiB", "hold 3GiB; sleep 0.7; exit 3", "--grace", "0s", scenario=scenario)
        self.assertEqual(ended.returncode, 3)
        self.assertIn("Insufficient Permissions", ended.stderr)

    def test_it_hangs_when_it_opens(self):
        started = time.monotonic()
        ended = self.run_gpumem(script="exit 3", scenario=ONE_GPU + self.fault("hang", call="Init"))
        self.assertEqual(ended.returncode, 3)
        self.assertIn("not measured: the driver had not opened yet", ended.stderr)
        self.assertLess(time.monotonic() - started, 3)

    def test_it_hangs_when_it_opens_and_a_budget_was_asked_for(self):
        ended = self.budgeted("1GiB", "echo started", "--timeout", "300ms", scenario=ONE_GPU + self.fault("hang", call="Init"))
        self.assertEqual((ended.returncode, ended.stdout), (125, ""))
        self.assertIn("the driver had not opened", ended.stderr)

    def test_ctrl_c_while_it_hangs_when_it_opens(self):
        job = self.start("--gpu-budget", "1GiB", "--", "true", scenario=ONE_GPU + self.fault("hang", call="Init"))
        self.until(lambda: pathlib.Path(f"/proc/{job.pid}/task/{job.pid}/children").read_text(), "it waits")
        job.send_signal(signal.SIGINT)
        self.assertEqual(self.finish(job).returncode, 130)

    def test_it_hangs_while_it_reads(self):
        scenario = ONE_GPU + self.fault("hang", call="MemoryInfo", at="300ms")
        job = self.start("--interval", "50ms", script="trap 'exit 8' TERM; hold 1GiB; echo $$ > $FOLDER/pid; forever", scenario=scenario)
        self.until_file("pid")
        time.sleep(1)  # into the hang, which nothing outside the driver shows
        started = time.monotonic()
        job.terminate()
        self.assertEqual(self.finish(job).returncode, 8)
        self.assertLess(time.monotonic() - started, 1.5)


class Costs(WithADriver):
    @unittest.skipIf(SANITIZED, "sanitizers cost more than the work")
    def test_it_costs_little(self):
        scenario = ONE_GPU * 8
        job = self.start("--gpu-budget", "20GiB", script="hold 1GiB; sleep 4", scenario=scenario)
        time.sleep(3.5)
        ticks = pathlib.Path(f"/proc/{job.pid}/stat").read_text().rsplit(")", 1)[1].split()
        cpu = (int(ticks[11]) + int(ticks[12])) / os.sysconf("SC_CLK_TCK") / 3.5
        resident = int(re.search(r"VmRSS:\s+(\d+)", pathlib.Path(f"/proc/{job.pid}/status").read_text())[1]) / 1024
        self.finish(job)
        print(f"run over 8 GPUs: {cpu:.2%} of a core, {resident:.1f} MiB resident")
        self.assertLess(cpu, 0.03)
        self.assertLess(resident, 32)


if __name__ == "__main__":
    unittest.main(verbosity=1)
