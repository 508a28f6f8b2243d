#!/usr/bin/env python3
"""gpumem recover over the stand-in driver and real processes: whom it ends, whom it spares, and what it says.

A victim has a file "/dev/nvidia0" open in a mount namespace of its own; the stand-in lists it as `real`, so that its
memory comes back when it ends.
"""

import json
import os
import pathlib
import signal
import subprocess
import sys
import tempfile
import unittest

GPUMEM = pathlib.Path(sys.argv.pop(1)).resolve()
FAKES = pathlib.Path(sys.argv.pop(1)).resolve()
GIB = 1 << 30
CANNOT_HOLD = 77

VICTIM = """
import ctypes, os, signal, sys
libc = ctypes.CDLL(None)
NEW_MOUNTS, NEW_USER, PRIVATE = 0x20000, 0x10000000, 0x44000
if sys.argv[1] != "no-device":
    if libc.unshare(NEW_MOUNTS) and libc.unshare(NEW_USER | NEW_MOUNTS): sys.exit(77)
    if libc.mount(b"none", b"/", None, PRIVATE, None) or libc.mount(b"tmpfs", b"/dev", b"tmpfs", 0, None): sys.exit(77)
    device = open("/dev/nvidia0", "w")
signal.signal(signal.SIGTERM, signal.SIG_IGN if sys.argv[1] == "ignores" else signal.SIG_DFL)
os.write(1, b"ready\\n")
while True: signal.pause()
"""

PROCESS = """
[[gpu.process]]
pid = {pid}
real = true
lingers = "{lingers}"
motion = [{{kind = "step", amount = "{amount}"}}]
"""


class Machine(unittest.TestCase):
    """A GPU of 24 GiB and the processes on it."""

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        self.scenario = '[[gpu]]\ntotal = "24GiB"\nreserved = 0\n'

    def victim(self, gib, temper="complies", lingers="50ms"):
        process = subprocess.Popen([sys.executable, "-c", VICTIM, temper], stdout=subprocess.PIPE, text=True)
        self.addCleanup(self.end, process)
        if process.stdout.readline() != "ready\n":
            if process.wait() == CANNOT_HOLD:
                self.skipTest("mount namespaces of one's own are not allowed here")
            self.fail("the victim did not come up")
        self.list_process(process.pid, gib, lingers)
        return process

    def list_process(self, pid, gib, lingers="0s"):
        self.scenario += PROCESS.format(pid=pid, amount=f"{gib}GiB", lingers=lingers)

    @staticmethod
    def end(process):
        process.kill()
        process.wait()
        process.stdout.close()

    def gpumem(self, *arguments):
        story = self.folder / "story.toml"
        story.write_text(self.scenario)
        environment = os.environ | {"LD_LIBRARY_PATH": str(FAKES / "nvml-550"), "NVML_FAKE_SCENARIO": str(story)}
        return subprocess.run([GPUMEM, *arguments], capture_output=True, text=True, timeout=90, env=environment)

    def recover(self, target, *arguments):
        return self.gpumem("recover", "--gpu", "0", "--target", target, *arguments)

    def decide(self, target, *arguments):
        ended = self.recover(target, *arguments, "--json")
        self.assertTrue(ended.stdout, ended.stderr)
        return json.loads(ended.stdout), ended.returncode

    def used(self):
        lines = [json.loads(line) for line in self.gpumem("status", "--json").stdout.splitlines()]
        return next(line["used_bytes"] for line in lines if line["type"] == "reading")

    def config(self, text):
        file = self.folder / "config.toml"
        file.write_text(text)
        return file

    def assert_lives(self, process):
        self.assertIsNone(process.poll(), "it was to live")

    def assert_ended_by(self, process, number):
        self.assertEqual(process.wait(timeout=10), -number)


class DryRun(Machine):
    def test_says_whom_it_would_end_and_touches_nothing(self):
        first, second = self.victim(12), self.victim(6)
        shown = self.recover("60%")
        self.assertEqual(shown.returncode, 0, shown.stderr)
        self.assertIn("GPU 0  18.0 / 24.0 GiB  target 14.4 GiB  dry run", shown.stdout)
        self.assertRegex(shown.stdout, rf"->   2   12\.0 GiB  python3?\S*, PID {first.pid}, of \S+: holds 12\.0 GiB")
        self.assertRegex(shown.stdout, rf"     1    6\.0 GiB  python3?\S*, PID {second.pid}, of")
        self.assertRegex(shown.stdout, rf"would end python\S* PID {first.pid}, .* with TERM, and KILL after 5 s; "
                                       r"6\.0 GiB would be left, within the target of 14\.4 GiB")
        for process in (first, second):
            self.assert_lives(process)
        self.assertEqual(self.used(), 18 * GIB)

    def test_json_is_the_decision(self):
        self.victim(12)
        decision, code = self.decide("8GiB")
        self.assertEqual(code, 0)
        self.assertEqual((decision["type"], decision["mode"], decision["cause"], decision["end"]),
                         ("decision", "dry_run", "request", "dry_run"))
        self.assertEqual([rung["outcome"] for rung in decision["rungs"]], ["would_run"])
        self.assertTrue(decision["rungs"][0]["candidates"][0]["chosen"])
        self.assertIsNone(decision["freed_bytes"])

    def test_simulated_numbers_are_one_even_with_execute(self):
        shown = self.gpumem("recover", "--source", "sim:demo", "--gpu", "0", "--target", "1%", "--execute")
        self.assertEqual(shown.returncode, 0, shown.stderr)
        self.assertIn("SIMULATED", shown.stdout)
        self.assertIn("dry run: readings are simulated; would end nobody", shown.stdout)

    def test_options_decide_over_the_order(self):
        old, young = self.victim(6), self.victim(6)
        for arguments, chosen in ((["--order", "newest"], young), (["--order", "largest,newest"], young),
                                  (["--order", "newest", "--avoid", "command:*no such*"], young),
                                  (["--order", "largest"], min(old, young, key=lambda each: each.pid)),
                                  (["--command", "*ready*", "--order", "newest"], young)):
            with self.subTest(arguments=arguments):
                decision, _ = self.decide("10GiB", *arguments)
                first = decision["rungs"][0]["candidates"][0]
                self.assertIn(f"PID {chosen.pid},", first["what"])
                self.assertTrue(first["chosen"])


class Execute(Machine):
    def test_one_that_complies_gives_its_memory_back_and_the_second_lives(self):
        first, second = self.victim(12), self.victim(6)
        decision, code = self.decide("60%", "--execute")
        self.assertEqual((code, decision["end"], decision["mode"]), (0, "target_reached", "execute"))
        self.assert_ended_by(first, signal.SIGTERM)
        self.assert_lives(second)
        self.assertEqual(self.used(), 6 * GIB)
        self.assertEqual(decision["freed_bytes"], 12 * GIB)
        self.assertEqual([rung["outcome"] for rung in decision["rungs"]], ["freed"])
        print("one that complies:", decision["rungs"][0]["detail"])

    def test_one_that_ignores_term_gets_kill(self):
        victim = self.victim(12, "ignores")
        decision, code = self.decide("1GiB", "--execute", "--grace", "300ms")
        self.assertEqual(code, 0, decision["reason"])
        self.assert_ended_by(victim, signal.SIGKILL)
        self.assertIn("was ended by TERM and KILL", decision["rungs"][0]["detail"])
        self.assertGreaterEqual(decision["took_s"], 0.3)

    def test_goes_on_until_the_target_is_reached(self):
        victims = [self.victim(8), self.victim(7), self.victim(2)]
        decision, code = self.decide("3GiB", "--execute")
        self.assertEqual((code, len(decision["rungs"])), (0, 2))
        for victim in victims[:2]:
            self.assert_ended_by(victim, signal.SIGTERM)
        self.assert_lives(victims[2])

    def test_memory_that_does_not_come_back_ends_it(self):
        first, second = self.victim(12, lingers="1h"), self.victim(6)
        decision, code = self.decide("1GiB", "--execute", "--config", self.config('[terminate]\nwait = "1s"\n'))
        self.assertEqual((code, decision["end"]), (1, "ladder_exhausted"))
        self.assertEqual(decision["rungs"][-1]["outcome"], "unverified")
        self.assertIn("until an operator allows it", decision["rungs"][-1]["detail"])
        self.assert_ended_by(first, signal.SIGTERM)
        self.assert_lives(second)

    def test_a_pre_hook_runs_before_term(self):
        victim = self.victim(12)
        told = self.folder / "told"
        hook = f'kill -0 "$GPUMEM_PID" && echo "$GPUMEM_GPU $GPUMEM_PID $GPUMEM_BYTES" > {told}'
        decision, code = self.decide("1GiB", "--execute", "--pre-hook", hook)
        self.assertEqual(code, 0, decision)
        self.assertEqual(told.read_text(), f"0 {victim.pid} {12 * GIB}\n")
        self.assertIn("the pre-hook exited with 0", decision["rungs"][0]["detail"])

    def test_a_pre_hook_that_hangs_is_ended(self):
        victim = self.victim(12)
        decision, code = self.decide("1GiB", "--execute", "--pre-hook", "sleep 1000", "--pre-hook-limit", "300ms")
        self.assertEqual(code, 0, decision)
        self.assertIn("the pre-hook was ended when its time was up", decision["rungs"][0]["detail"])
        self.assert_ended_by(victim, signal.SIGTERM)

    def test_at_the_target_there_is_nothing_to_do(self):
        victim = self.victim(2)
        decision, code = self.decide("80%", "--execute")
        self.assertEqual((code, decision["end"], decision["rungs"]), (0, "nothing_to_do", []))
        self.assert_lives(victim)


class AJobOfGpumemRun(Machine):
    """`gpumem run -- bash` with two processes on the GPU; they are one to be ended, together with their bash."""

    def setUp(self):
        super().setUp()
        self.victim(1)  # skips where there can be none

    def job(self, *holdings, priority="normal"):
        script = "".join(f"{sys.executable} -c \"$VICTIM\" complies & echo $!; " for _ in holdings) + "wait"
        job = subprocess.Popen([GPUMEM, "run", "--priority", priority, "--", "bash", "-c", script], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                               text=True, env=os.environ | {"VICTIM": VICTIM})
        self.addCleanup(self.end_job, job)
        lines = [job.stdout.readline().strip() for _ in range(2 * len(holdings))]
        self.assertEqual(lines.count("ready"), len(holdings), lines)
        pids = [int(line) for line in lines if line != "ready"]
        for pid, gib in zip(pids, holdings):
            self.list_process(pid, gib, "50ms")
        return job, pids

    @staticmethod
    def lives(pid):
        try:
            return "\nState:\tZ" not in pathlib.Path(f"/proc/{pid}/status").read_text()
        except OSError:
            return False

    @staticmethod
    def end_job(job):
        job.terminate()  # passed on to all of the job
        job.communicate(timeout=10)

    def config(self, text=""):
        return super().config('[terminate]\nunit = "group"\n' + text)

    def test_is_ended_as_a_whole(self):
        job, pids = self.job(5, 4)
        single = self.victim(8)
        decision, code = self.decide("50%", "--execute", "--config", self.config())
        self.assertEqual((code, decision["end"]), (0, "target_reached"), decision)
        self.assertEqual(decision["freed_bytes"], 9 * GIB)
        self.assertEqual(len(decision["rungs"]), 1)
        self.assertEqual(job.wait(timeout=10), 128 + signal.SIGTERM)
        for pid in pids:
            self.assertFalse(self.lives(pid))
        self.assert_lives(single)

    def test_of_low_priority_goes_first(self):
        low, _ = self.job(3, priority="low")
        normal, _ = self.job(5)
        target = f"{self.used() // GIB - 3}GiB"
        decision, code = self.decide(target, "--execute", "--order", "lowest_priority", "--config", self.config())
        self.assertEqual((code, decision["freed_bytes"]), (0, 3 * GIB), decision)
        self.assertEqual(low.wait(timeout=10), 128 + signal.SIGTERM)
        self.assertIsNone(normal.poll())
        self.assertIn("OOM score adjustment 500", decision["rungs"][0]["candidates"][0]["reason"])

    def test_one_protected_member_spares_them_all(self):
        job, pids = self.job(5, 4)
        decision, code = self.decide("1GiB", "--execute", "--config", self.config('protect = ["bash"]\n'))
        self.assertEqual((code, decision["end"]), (1, "ladder_exhausted"), decision)
        self.assertIsNone(job.poll())
        for pid in pids:
            self.assertTrue(self.lives(pid))


class Spared(Machine):
    def assert_spared(self, process, reason, *arguments):
        decision, code = self.decide("1GiB", "--execute", *arguments)
        self.assertEqual((code, decision["end"]), (1, "ladder_exhausted"))
        told = [candidate["reason"] for rung in decision["rungs"] for candidate in rung["candidates"]]
        told += [rung["detail"] for rung in decision["rungs"]]
        self.assertTrue(any(reason in text for text in told), told)
        self.assert_lives(process)

    def test_without_the_device_open(self):
        self.assert_spared(self.victim(12, "no-device"), "no GPU's device file open")

    def test_of_another_user_than_asked_for(self):
        self.assert_spared(self.victim(12), "not one of those whose processes may be ended", "--user", "nobody-else")

    def test_another_command_than_asked_for(self):
        self.assert_spared(self.victim(12), "not one of those that were asked for", "--command", "blender")

    def test_what_the_configuration_protects(self):
        self.assert_spared(self.victim(12), "it is protected",
                           "--config", self.config('[terminate]\nprotect = ["python*"]\n'))

    def test_its_own_ancestors(self):
        self.list_process(os.getpid(), 12)
        decision, code = self.decide("1GiB", "--execute")
        self.assertEqual(code, 1)
        self.assertIn("an ancestor of it", decision["rungs"][0]["candidates"][0]["reason"])


class Usage(Machine):
    def test_what_makes_no_sense_exits_with_2_and_says_so(self):
        for arguments, words in ((["--target", "80%"], "--gpu"), (["--gpu", "0"], "--target"),
                                 (["--gpu", "0", "--target", "much"], "--target"),
                                 (["--gpu", "7", "--target", "80%"], "there is no such GPU"),
                                 (["--gpu", "0", "--target", "80%", "--order", "oldest"], "--order"),
                                 (["--gpu", "0", "--target", "80%", "--prefer", "guest"], "--prefer"),
                                 (["--gpu", "0", "--target", "80%", "--grace", "soon"], "--grace")):
            with self.subTest(arguments=arguments):
                refused = self.gpumem("recover", *arguments)
                self.assertEqual(refused.returncode, 2, refused.stderr)
                self.assertIn(words, refused.stderr)

    def test_a_gpu_that_cannot_be_read_is_a_failure(self):
        self.scenario += '\n[[fault]]\nkind = "error"\ngpu = 0\ncall = "MemoryInfo"\ncode = 999\n'
        failed = self.recover("80%")
        self.assertEqual(failed.returncode, 1)
        self.assertIn("GPU 0: ", failed.stderr)


class TheMonitorsRung(Machine):
    POLICY = '[ladder]\ntarget = "50%"\n[terminate]\nenabled = true\n'

    def watch(self, text):
        shown = self.gpumem("watch", "--json", "--interval", "200ms", "--duration", "4s", "--config", self.config(text))
        self.assertEqual(shown.returncode, 0, shown.stderr)
        lines = [json.loads(line) for line in shown.stdout.splitlines()]
        return [line for line in lines if line["type"] == "decision"]

    def test_ends_a_process_in_an_emergency_where_it_is_configured(self):
        victim, other = self.victim(20), self.victim(3)
        first = self.watch(self.POLICY + "execute = true\n")[0]
        self.assertEqual((first["end"], first["cause"], first["level"]), ("target_reached", "level", "emergency"))
        self.assertEqual([rung["strategy"] for rung in first["rungs"]], ["terminate"])
        self.assertTrue(first["rungs"][0]["candidates"][0]["chosen"])
        self.assert_ended_by(victim, signal.SIGTERM)
        self.assert_lives(other)

    def test_only_says_so_until_it_is_told_to_execute(self):
        victim = self.victim(23.5)
        first = self.watch(self.POLICY)[0]
        self.assertIn("dry run; would end", first["rungs"][0]["detail"])
        self.assert_lives(victim)

    def test_is_off_without_its_table(self):
        victim = self.victim(23.5)
        self.assertEqual(self.watch('[ladder]\ntarget = "50%"\n')[0]["end"], "no_rungs")
        self.assert_lives(victim)

    def test_needs_the_emergency(self):
        victim = self.victim(22)
        first = self.watch(self.POLICY + "execute = true\n")[0]
        self.assertEqual(first["rungs"][0]["outcome"], "skipped")
        self.assert_lives(victim)


if __name__ == "__main__":
    unittest.main()
