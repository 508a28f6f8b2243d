#!/usr/bin/env python3
"""Drives the built gpumem as its users do: through pipes, files, a terminal and signals."""

import fcntl
import json
import os
import pathlib
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import tempfile
import termios
import time
import unittest

GPUMEM = pathlib.Path(sys.argv.pop(1)).resolve() if len(sys.argv) > 1 else None
SHARED_TRACES = pathlib.Path(__file__).resolve().parents[3] / "shared" / "traces"
COMMANDS = ["status", "watch", "record", "replay", "check", "estimate", "explain-oom", "recover", "run"]

FULL_AT = """
title = "GPUs that stand still"
[[gpu]]
total = "10GiB"
[[gpu.process]]
pid = 1
name = "job"
[[gpu.process.motion]]
kind = "step"
amount = "{amount}"
"""


def gpumem(*arguments, **options):
    return subprocess.run([GPUMEM, *arguments], capture_output=True, text=True, timeout=60, **options)


def records(text):
    return [json.loads(line) for line in text.splitlines()]


class Folder(unittest.TestCase):
    def setUp(self):
        self.folder = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory()))

    def enterContext(self, context):  # noqa: N802 - as unittest has it from Python 3.11 on
        value = context.__enter__()
        self.addCleanup(context.__exit__, None, None, None)
        return value

    def file(self, name, text):
        path = self.folder / name
        path.write_text(text)
        return path

    def standing_at(self, amount):
        return "sim:" + str(self.file("still.toml", FULL_AT.format(amount=amount)))


class Usage(Folder):
    def test_help_of_every_command_has_an_example(self):
        self.assertEqual(gpumem("--help").returncode, 0)
        for command in COMMANDS:
            shown = gpumem(command, "--help")
            self.assertEqual(shown.returncode, 0)
            self.assertIn(f"Example: gpumem {command}", shown.stdout)

    def test_version(self):
        self.assertRegex(gpumem("--version").stdout, r"^gpumem \d+\.\d+\.\d+$")

    def test_what_makes_no_sense_exits_with_2_and_says_so(self):
        for arguments in ([], ["fly"], ["status", "--frequency", "1"], ["status", "--unit", "MB"],
                          ["status", "--source", "cuda"], ["watch", "--source", "sim:demo", "--interval", "soon"],
                          ["watch", "--source", "sim:demo", "--interval", "0s"], ["replay"],
                          ["record", "--source", "sim:demo", "--format", "xml"],
                          ["watch", "--source", "sim:demo", "--duration", "x"]):
            with self.subTest(arguments=arguments):
                refused = gpumem(*arguments)
                self.assertEqual(refused.returncode, 2, refused.stderr)
                self.assertTrue(refused.stderr.strip())

    def test_an_unknown_source_names_the_known_ones(self):
        self.assertRegex(gpumem("status", "--source", "cuda").stderr, "auto.*nvml.*sim.*trace")
        self.assertIn("demo", gpumem("status", "--source", "sim:nothing-of-this-name").stderr)

    def test_no_driver_is_an_error_that_says_what_was_tried(self):
        without = gpumem("status")
        if without.returncode == 0:
            self.skipTest("this machine has a GPU")
        self.assertEqual(without.returncode, 1)
        self.assertRegex(without.stderr, "nvml")


class Status(Folder):
    def test_shows_every_gpu_with_its_label(self):
        shown = gpumem("status", "--source", "sim:demo").stdout
        self.assertIn("SIMULATED", shown)
        self.assertEqual(len(re.findall(r"^\d+  ", shown, re.MULTILINE)), 2)

    def test_lists_processes(self):
        self.assertRegex(gpumem("status", "--source", self.standing_at("4GiB")).stdout, r"1\s+4\.0 GiB\s+job")

    def test_json_is_a_recording_of_one_look(self):
        shown = gpumem("status", "--source", self.standing_at("4GiB"), "--json").stdout
        device, reading = records(shown)
        self.assertEqual((device["type"], reading["type"]), ("device", "reading"))
        self.assertEqual(reading["provenance"], "simulated")
        self.assertEqual(reading["used_bytes"], 4 << 30)
        self.assertEqual(reading["free_bytes"], 6 << 30)
        self.assertEqual(reading["used_percent"], 40.0)
        self.assertEqual(reading["processes"][0]["used_bytes"], 4 << 30)
        self.assertEqual(gpumem("replay", self.file("one.jsonl", shown)).returncode, 0)

    def test_unit(self):
        self.assertIn("4096 / 10240 MiB",
                      gpumem("status", "--source", self.standing_at("4GiB"), "--unit", "MiB").stdout)

    def test_a_full_disk_is_an_error(self):
        with open("/dev/full", "w") as full:
            failed = subprocess.run([GPUMEM, "status", "--source", "sim:demo"], stdout=full, stderr=subprocess.PIPE,
                                    text=True, timeout=60)
        self.assertEqual(failed.returncode, 1)
        self.assertIn("No space left", failed.stderr)


class Watch(Folder):
    def test_in_a_pipe_it_prints_one_line_a_reading_or_event(self):
        shown = gpumem("watch", "--source", self.standing_at("9.6GiB"), "--interval", "100ms", "--duration", "1s").stdout
        self.assertNotIn("\x1b", shown)
        lines = shown.splitlines()
        self.assertGreater(len(lines), 5)
        for line in lines:
            self.assertIn("SIMULATED", line)
        self.assertTrue(any("EMERGENCY" in line for line in lines))
        self.assertTrue(any("decision 1" in line and "dry run" in line for line in lines))

    def test_json_labels_every_record(self):
        shown = records(gpumem("watch", "--source", self.standing_at("9.6GiB"), "--interval", "100ms", "--duration",
                               "1s", "--json").stdout)
        kinds = {record["type"] for record in shown}
        self.assertEqual(kinds, {"device", "reading", "forecast", "alert", "decision"})
        for record in shown:
            self.assertEqual(record["schema"], 1)
            if record["type"] != "device":
                self.assertEqual(record["provenance"], "simulated")

    def terminal(self, *arguments, seconds, environment=None):
        """What a terminal of 100 columns is sent until Ctrl-C after some time, and the exit code."""
        pid, master = pty.fork()
        if pid == 0:
            os.execve(GPUMEM, ["gpumem", *arguments], {"TERM": "xterm", **(environment or {})})
        fcntl.ioctl(master, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 100, 0, 0))
        sent = b""
        interrupt_at = time.monotonic() + seconds
        interrupted = False
        while True:
            if not interrupted and time.monotonic() > interrupt_at:
                os.kill(pid, signal.SIGINT)
                interrupted = True
            if not select.select([master], [], [], 0.05)[0]:
                continue
            try:
                piece = os.read(master, 65536)
            except OSError:  # the other end is closed
                piece = b""
            if not piece:
                break
            sent += piece
        return sent.decode(), os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])

    def test_on_a_terminal_it_redraws_one_table_and_gives_the_screen_back(self):
        shown, code = self.terminal("watch", "--source", "sim:demo", "--interval", "100ms", seconds=1)
        self.assertEqual(code, 0)
        self.assertTrue(shown.startswith("\x1b[?1049h"))
        self.assertTrue(shown.endswith("\x1b[?25h\x1b[?1049l"))
        frames = shown.split("\x1b[H")[1:]
        self.assertGreater(len(frames), 3)
        for frame in frames:
            self.assertIn("SIMULATED", frame)
            self.assertIn("█" if "█" in frame else "░", frame)
            for line in re.split("[\r\n]+", frame):
                self.assertLessEqual(len(re.sub(r"\x1b\[[\d;?]*\w", "", line)), 100, line)
        self.assertIn("\x1b[32m", frames[-1])

    def test_no_color_is_respected(self):
        shown, _ = self.terminal("watch", "--source", "sim:demo", "--interval", "100ms", seconds=0.5,
                                 environment={"NO_COLOR": "1"})
        self.assertNotRegex(shown, r"\x1b\[[\d;]*m")

    def test_ends_when_the_reader_of_the_pipe_goes_away(self):
        watch = subprocess.Popen([GPUMEM, "watch", "--source", "sim:demo", "--interval", "50ms"], stdout=subprocess.PIPE)
        watch.stdout.readline()
        watch.stdout.close()
        self.assertNotEqual(watch.wait(timeout=30), 0)


class RecordAndReplay(Folder):
    def test_what_was_recorded_is_what_is_replayed(self):
        for name in ("run.jsonl", "run.csv"):
            file = self.folder / name
            recorded = gpumem("record", "--source", "sim:demo", "--interval", "50ms", "--duration", "1s", "-o", file)
            self.assertEqual(recorded.returncode, 0, recorded.stderr)
            replayed = gpumem("replay", file, "--forecasts")
            self.assertEqual(replayed.returncode, 0, replayed.stderr)
            forecasts = [r for r in records(replayed.stdout) if r["type"] == "forecast"]
            lines = file.read_text().count("\n")
            self.assertEqual(len(forecasts), lines - (2 if name.endswith("jsonl") else 1))
            self.assertGreater(len(forecasts), 20)

    def test_never_overwrites(self):
        file = self.file("there.jsonl", "precious")
        refused = gpumem("record", "--source", "sim:demo", "-o", file)
        self.assertEqual(refused.returncode, 2)
        self.assertIn("exists already", refused.stderr)
        self.assertEqual(file.read_text(), "precious")

    def test_a_kill_loses_no_reading_that_was_taken(self):
        file = self.folder / "killed.jsonl"
        recording = subprocess.Popen([GPUMEM, "record", "--source", "sim:demo", "--interval", "20ms", "-o", file])
        while not file.exists() or file.read_text().count("\n") < 30:
            time.sleep(0.01)
        recording.kill()
        recording.wait()
        text = file.read_text()
        self.assertTrue(text.endswith("\n"))
        replayed = gpumem("replay", file, "--forecasts")
        self.assertEqual(replayed.returncode, 0, replayed.stderr)
        forecasts = [record for record in records(replayed.stdout) if record["type"] == "forecast"]
        self.assertEqual(len(forecasts), text.count("\n") - 2)

    def recording(self, seconds, used_mib):
        file = self.folder / "series.csv"
        lines = ["t_s,gpu,used_bytes,total_bytes"]
        lines += [f"{t},0,{int(used_mib(t) * 2**20)},{24 * 2**30}" for t in range(seconds)]
        file.write_text("\n".join(lines) + "\n")
        return file

    def test_exhaustion_is_announced_before_any_percent_is_reached(self):
        file = self.recording(100, lambda t: 2048 + 200 * t)
        alerts = [r for r in records(gpumem("replay", file).stdout) if r["type"] == "alert"]
        first = alerts[0]
        self.assertEqual((first["event"], first["level"], first["reached_by"]), ("raised", "warning", "time_to_oom"))
        self.assertLess(first["used_percent"], 60)
        self.assertIn("is forecast to run out of memory (in 1 min 00 s, grows by 200 MiB/s)", first["text"])
        self.assertEqual([a["level"] for a in alerts if a["event"] == "raised"], ["warning"])

    def test_a_leak_is_told_and_the_forecasts_are_judged_at_the_end(self):
        file = self.recording(1200, lambda t: 8192 + t + 40 * (t * 7919 % 101) / 101)
        end = records(gpumem("replay", file, "--forecasts").stdout)[-2:]
        self.assertEqual([r["type"] for r in end], ["leak", "forecast_accuracy"])
        self.assertIsNone(end[0]["pid"])
        self.assertAlmostEqual(end[0]["bytes_per_second"] / 2**20, 1, delta=0.1)
        self.assertGreater(end[1]["interval_coverage"], 0.6)
        self.assertEqual((end[1]["exhaustions"], end[1]["alarms"]), (0, 0))

    def test_a_full_disk_is_an_error_and_keeps_whole_lines(self):
        failed = subprocess.run(["bash", "-c", f"ulimit -f 8; trap '' XFSZ; exec {GPUMEM} record --source sim:demo "
                                 f"--interval 10ms --duration 20s -o {self.folder / 'full.jsonl'}"],
                                capture_output=True, text=True, timeout=60)
        self.assertEqual(failed.returncode, 1)
        self.assertIn("cannot write to", failed.stderr)
        self.assertTrue((self.folder / "full.jsonl").read_text().endswith("}\n"))

    def test_bad_recordings_are_refused_with_their_line(self):
        cases = {
            "t_s,gpu,used_bytes,total_bytes\n0,0,5,10\nx,0,5,10\n": "line 3",
            "": "empty",
            "t_s,gpu,used_bytes,total_bytes\n": "no",
            "t_s,gpu,used_bytes,total_bytes\n0,0,5,0\n": "total",
            "t_s,gpu,used_bytes,total_bytes\n1,0,5,10\n0,0,5,10\n": "line 3",
            "t_s,gpu,used_bytes,total_bytes\nnan,0,5,10\n": "line 2",
            "x" * 1_000_000 + "\n": "line 1",
        }
        for text, expected in cases.items():
            with self.subTest(text=text[:60]):
                refused = gpumem("replay", self.file("bad.csv", text))
                self.assertEqual(refused.returncode, 2, refused.stdout[:200])
                self.assertIn(expected, refused.stderr)
                self.assertIn("bad.csv", refused.stderr)
                self.assertLess(len(refused.stderr), 600)
        self.assertEqual(gpumem("replay", self.folder / "nothing.csv").returncode, 1)

    def test_used_above_total_is_kept_and_said(self):
        replayed = gpumem("replay", self.file("over.csv", "t_s,gpu,used_bytes,total_bytes\n0,0,11,10\n"), "--forecasts")
        self.assertEqual(replayed.returncode, 0)
        self.assertIn("total", replayed.stderr)
        self.assertEqual(records(replayed.stdout)[0]["risk"], 1.0)

    def test_the_engine_runs_as_configured(self):
        rows = "".join(f"{second},0,{(60 + second // 2) << 20},{100 << 20}\n" for second in range(80))
        trace = self.file("rise.csv", "t_s,gpu,used_bytes,total_bytes\n" + rows)
        config = self.file("config.toml", '[thresholds.warning]\npercent = 70\n[ladder]\ntrigger = "warning"\n'
                           'rungs = ["offload"]\ntarget = "50%"\n')
        shown = records(gpumem("replay", trace, "--config", config).stdout)
        warning = next(r for r in shown if r["type"] == "alert")
        decision = next(r for r in shown if r["type"] == "decision")
        self.assertEqual((warning["level"], warning["event"], warning["t"]), ("warning", "raised", 20.0))
        self.assertEqual((decision["t"], decision["end"]), (20.0, "dry_run"))
        self.assertEqual([rung["strategy"] for rung in decision["rungs"]], ["offload"])
        self.assertIsNone(decision["freed_bytes"])

    def test_capacity_and_gpu(self):
        trace = self.file("two.csv", "t_s,gpu,used_bytes,total_bytes\n0,0,5,\n0,1,6,\n1,0,5,\n1,1,6,\n")
        quiet = gpumem("replay", trace)
        self.assertEqual((quiet.returncode, quiet.stdout), (0, ""))
        self.assertIn("--capacity", quiet.stderr)
        shown = records(gpumem("replay", trace, "--capacity", "6", "--gpu", "1", "--forecasts").stdout)
        self.assertEqual({r["gpu"] for r in shown}, {1})
        self.assertEqual(gpumem("replay", trace, "--gpu", "7").returncode, 2)

    def test_a_bad_configuration_names_file_place_and_key(self):
        config = self.file("bad.toml", "[thresholds]\nwarming = 80\n")
        refused = gpumem("replay", self.file("t.csv", "t_s,gpu,used_bytes,total_bytes\n0,0,5,10\n"), "--config", config)
        self.assertEqual(refused.returncode, 2)
        for part in ("bad.toml", "line 2", "warming"):
            self.assertIn(part, refused.stderr)

    @unittest.skipUnless(SHARED_TRACES.is_dir(), "the recorded traces are not on this machine")
    def test_every_recorded_trace_replays_twice_alike(self):
        traces = sorted(SHARED_TRACES.glob("[0-9]*.csv"))
        self.assertGreater(len(traces), 10)
        for trace in traces:
            with self.subTest(trace=trace.name):
                first = gpumem("replay", trace, "--forecasts")
                second = gpumem("replay", trace, "--forecasts")
                self.assertEqual(first.returncode, 0, first.stderr)
                self.assertEqual(first.stdout, second.stdout)
                self.assertEqual(sum(line.startswith('{"schema":1,"type":"forecast"') for line in first.stdout.splitlines()),
                                 trace.read_text().count("\n") - 1)

    def test_a_replay_keeps_the_seconds_of_the_recording(self):
        late = self.folder / "late.csv"
        late.write_text("t_s,gpu,used_bytes,total_bytes\n1000.500,0,1,20\n1001.500,0,2,20\n")
        seen = [record["t"] for record in records(gpumem("replay", late, "--forecasts").stdout) if record["type"] == "forecast"]
        self.assertEqual(seen, [1000.5, 1001.5])
        live = records(gpumem("status", "--json", "--source", f"trace:{late}").stdout)
        self.assertEqual([record["status"] for record in live if record["type"] == "reading"], ["ok"])


LLAMA_3_8B = {"arch": "llama", "model": "Llama 3 8B", "n_layer": 32, "n_embd": 4096, "n_head": 32, "n_head_kv": 8,
              "n_embd_head_k": 128, "n_embd_head_v": 128, "n_ff": 14336, "n_vocab": 128256, "n_ctx_train": 8192,
              "file_type": "Q4_K - Medium"}


class Estimate(Folder):
    def estimate(self, *arguments):
        return gpumem("estimate", "--hparams", self.file("hparams.json", json.dumps(LLAMA_3_8B)), *arguments)

    def test_json_says_what_llama_cpp_prints(self):
        (answer,) = records(self.estimate("--context", "8192", "--json").stdout)
        gpu, host = answer["devices"]
        self.assertEqual((answer["type"], answer["context"], answer["kv_cache_bytes"]), ("estimate", 8192, 1 << 30))
        self.assertAlmostEqual(gpu["weights_bytes"] / 2**20, 4403.49, delta=0.5)
        self.assertAlmostEqual(host["weights_bytes"] / 2**20, 281.81, delta=0.5)
        self.assertFalse(answer["weights_exact"])
        self.assertIsNone(answer["fit"])

    def test_a_table_and_whether_it_fits(self):
        shown = self.estimate("--gpus", "8GiB").stdout
        self.assertIn("Llama 3 8B (llama), 32 layers, context 8192", shown)
        self.assertIn("Fits on GPU 0, with ", shown)

    def test_does_not_fit_is_an_answer_with_remedies(self):
        shown = self.estimate("--gpus", "6GiB", "--context", "32768")
        self.assertEqual(shown.returncode, 0, shown.stderr)
        self.assertRegex(shown.stdout, r"Does not fit on GPU 0: \d.* are missing\.")
        self.assertIn("To make it fit: shorten the context to ", shown.stdout)
        (answer,) = records(self.estimate("--gpus", "6GiB", "--context", "32768", "--json").stdout)
        self.assertFalse(answer["fit"]["fits"])
        self.assertGreater(answer["fit"]["missing_bytes"][0], 0)

    def test_what_would_still_fit_does_and_one_more_does_not(self):
        sizes = ("--gpus", "6GiB,4GiB", "--json")
        (answer,) = records(self.estimate(*sizes).stdout)
        limits = answer["fit"]["limits"]
        tokens = limits["context"]["tokens"]
        sequences = limits["parallel"]["sequences"]
        fits = lambda *arguments: records(self.estimate(*sizes, *arguments).stdout)[0]["fit"]  # noqa: E731
        self.assertEqual(min(fits("--context", str(tokens))["margin_bytes"]), limits["context"]["margin_bytes"])
        self.assertFalse(fits("--context", str(tokens + 256))["fits"])
        self.assertTrue(fits("--parallel", str(sequences), "--context", str(8192 * sequences))["fits"])
        self.assertFalse(fits("--parallel", str(sequences + 1), "--context", str(8192 * (sequences + 1)))["fits"])
        split = fits("--split", ",".join(map(str, limits["split"]["layers"])))
        self.assertEqual(min(split["margin_bytes"]), limits["split"]["margin_bytes"])
        self.assertGreaterEqual(limits["split"]["margin_bytes"], min(answer["fit"]["margin_bytes"]))
        shown = self.estimate("--gpus", "6GiB,4GiB").stdout
        self.assertIn(f"Largest context  --context {tokens} (trained for 8192)", shown)
        self.assertIn(f"--parallel {sequences} --context {8192 * sequences}", shown)
        self.assertIn("--gpu-layers 33 of 33", shown)
        self.assertIn("--split " + ",".join(map(str, limits["split"]["layers"])), shown)

    def test_remedies_name_a_file_and_a_split(self):
        shown = self.estimate("--gpus", "5GiB,3GiB", "--split", "1,1", "--context", "16384").stdout
        self.assertRegex(shown, r"To make it fit: deal the layers out otherwise: --split \d+,\d+\n")
        shown = self.estimate("--gpus", "4.5GiB").stdout
        self.assertRegex(shown, r"To make it fit: load a smaller file: \S+ would have about .* \(an estimate\)")

    def test_tensors_are_placed_by_name(self):
        (usual,) = records(self.estimate("--json").stdout)
        (placed,) = records(self.estimate("--json", "--override-tensor", r"blk\.[0-3]\.ffn_.*=CPU,blk.9.attn_q=CPU",
                                          "--override-tensor", "blk.8.attn_q=CPU").stdout)
        self.assertEqual(placed["placed_tensors"], 14)
        self.assertEqual(placed["placed_bytes"], usual["devices"][0]["weights_bytes"] - placed["devices"][0]["weights_bytes"])
        self.assertIn("By their names 32 tensors are placed", self.estimate("--override-tensor", "ffn_up=CPU").stdout)
        (usual,) = records(self.estimate("--json", "--gpus", "2").stdout)
        (stopped,) = records(self.estimate("--json", "--gpus", "2", "--override-tensor", "none=CPU").stdout)
        self.assertLess(stopped["devices"][0]["compute_bytes"], usual["devices"][0]["compute_bytes"], "no pipeline")
        began = time.monotonic()
        self.assertEqual(self.estimate("--override-tensor", "(a+)+(.*)*(.*)*$=CPU").returncode, 0)
        self.assertLess(time.monotonic() - began, 5)

    def test_free_takes_what_a_source_says(self):
        source = self.standing_at("3GiB")
        (answer,) = records(self.estimate("--free", "--source", source, "--json").stdout)
        self.assertEqual(answer["free"]["provenance"], "simulated")
        self.assertEqual([gpu["free_bytes"] for gpu in answer["free"]["gpus"]], answer["fit"]["free_bytes"])
        shown = self.estimate("--free", "--wake", "--timeout", "5s", "--source", "sim:demo").stdout
        self.assertIn("SIMULATED, free: GPU 0 (", shown)
        self.assertIn("The most that fits, each alone:", shown)
        trace = self.file("t.csv", "t_s,gpu,used_bytes,total_bytes\n0,0,1073741824,10737418240\n")
        self.assertIn("REPLAYED, free: GPU 0 (", self.estimate("--free", "--source", f"trace:{trace}").stdout)
        no_total = self.file("n.csv", "t_s,gpu,used_bytes,total_bytes\n0,0,1073741824,\n")
        failed = self.estimate("--free", "--source", f"trace:{no_total}")
        self.assertEqual(failed.returncode, 1)
        self.assertIn("--free: of GPU 0 it is not known what is free", failed.stderr)
        for arguments in (["--free", "--gpus", "2"], ["--source", "sim:demo"], ["--free", "--source", "cuda"]):
            self.assertEqual(self.estimate(*arguments).returncode, 2, arguments)

    def test_a_profile_answers_with_its_line(self):
        (answer,) = records(gpumem("estimate", "llama2-7b", "--batch", "2", "--context", "4096", "--gpus", "8GiB,4GiB",
                                   "--json").stdout)
        usage = (7 << 30) + 2 * (50 << 20) + 4096 * 3072
        self.assertEqual((answer["runtime"], answer["model"], answer["total_bytes"]), ("profile", "llama2-7b", usage))
        self.assertEqual(answer["fit"]["limits"]["parallel"]["sequences"], ((5 << 30) - 4096 * 3072) // (50 << 20))
        shown = gpumem("estimate", "mistral-7b", "--gpus", "6GiB").stdout
        self.assertIn("mistral-7b, a profile, batch 1, context 0: a rough line", shown)
        self.assertRegex(shown, r"Does not fit: 2\.1 GiB are missing\.")
        profiles = self.file("p.toml", '[[profile]]\nname = "mine"\nbase = "1GiB"\nper_batch = "1MiB"\nper_token = 1\n')
        mine = gpumem("estimate", "mine", "--profiles", profiles, "--free", "--source", "sim:demo")
        self.assertIn("SIMULATED", mine.stdout)
        self.assertIn("Fits, with ", mine.stdout)
        unknown = gpumem("estimate", "mine")
        self.assertEqual(unknown.returncode, 1)
        self.assertIn("mine: there is no such file, nor a profile of that name: there are llama2-7b, ", unknown.stderr)
        self.file("mine", "no model")
        there = gpumem("estimate", "mine", "--profiles", profiles, cwd=self.folder)
        self.assertIn("this is not a GGUF file", there.stderr, "a path that exists is no profile's name")
        self.assertEqual(gpumem("estimate", "llama2-7b", "--runtime", "vllm").returncode, 2)

    def test_vllm_takes_a_share_of_the_gpu(self):
        (answer,) = records(self.estimate("--runtime", "vllm", "--gpus", "80GiB,80GiB", "--json").stdout)
        self.assertEqual((answer["gpus"], answer["budget_bytes"], answer["bytes_per_token"]), (2, int(0.9 * 80 * 2**30), 65536))
        self.assertTrue(answer["fit"]["fits"])
        self.assertIn("requests of 8192 tokens side by side", self.estimate("--runtime", "vllm", "--gpus", "80GiB").stdout)
        self.assertIn("Does not fit: ", self.estimate("--runtime", "vllm", "--gpus", "4GiB").stdout)
        unknown = self.estimate("--runtime", "vllm")
        self.assertEqual(unknown.returncode, 2)
        self.assertIn("--gpus 80GiB", unknown.stderr)

    def test_what_is_assumed_or_in_vain_is_said(self):
        config = self.file("config.json", '{"model_type": "zebra", "hidden_size": 64, "num_hidden_layers": 2, '
                           '"num_attention_heads": 4, "vocab_size": 100}')
        shown = gpumem("estimate", config, "--context", "512", "--cpu-moe").stdout
        self.assertIn('Note: the architecture "zebra" is not known: its layers are taken for those of Llama.', shown)
        self.assertIn("Note: the model has no experts", shown)
        (answer,) = records(gpumem("estimate", config, "--context", "512", "--json").stdout)
        self.assertEqual(len(answer["notes"]), 2, "and 16 bits are assumed")

    def test_what_makes_no_sense_is_refused(self):
        for arguments, words in ((["--gpus", "many"], "gpus: "), (["--kv-type-k", "q7"], "kv_type_k: "),
                                 (["--split", "1,x"], "split: "), (["--split", "1,1"], "2 shares for 1 GPUs"),
                                 (["--override-tensor", "exps=TPU"], "override_tensor: \"exps=TPU\": the device is"),
                                 (["--override-tensor", "blk.(1=CPU"], "override_tensor: \"blk.(1=CPU\": at character 7"),
                                 (["--runtime-version", "new"], "runtime_version: "),
                                 (["--runtime", "vllm", "--gpus", "80GiB", "--cpu-moe"], "cpu_moe: this is an option of llama.cpp"),
                                 (["--runtime", "vllm", "--gpus", "80GiB,80GiB,80GiB"], "does not divide 32 heads by 3 GPUs"),
                                 (["--kv-type-v", "q8_0", "--flash-attn", "off"], "with flash attention alone"),
                                 (["--gpus", "24,24"], "give a unit"),
                                 (["--main-gpu", "-1"], "--main-gpu"), (["--n-cpu-moe", "-1"], "--n-cpu-moe")):
            with self.subTest(arguments=arguments):
                failed = self.estimate(*arguments)
                self.assertEqual(failed.returncode, 2, failed.stderr)
                self.assertIn(words, failed.stderr)
        self.assertIn("give a model", gpumem("estimate").stderr)
        missing = gpumem("estimate", self.folder / "no.gguf")
        self.assertEqual(missing.returncode, 1)
        self.assertIn("no.gguf: there is no such file", missing.stderr)
        text = gpumem("estimate", self.file("text.gguf", "this is no model"))
        self.assertIn("at byte 4: this is not a GGUF file", text.stderr)


CUDA_OOM = ("RuntimeError: CUDA out of memory. Tried to allocate 2.87 GiB (GPU 0; 14.76 GiB total capacity; 8.77 GiB already "
            "allocated; 19.75 MiB free; 13.71 GiB reserved in total by PyTorch)")


class ExplainOom(Folder):
    def test_from_a_pipe_and_from_a_file(self):
        log = "epoch 1\n" + CUDA_OOM + "\n"
        piped = gpumem("explain-oom", input=log)
        self.assertEqual(piped.returncode, 0, piped.stderr)
        self.assertIn("PyTorch asked for 2.9 GiB on GPU 0, and 20 MiB of 14.8 GiB were free", piped.stdout)
        self.assertIn("4.9 GiB are reserved but unused", piped.stdout)
        self.assertEqual(gpumem("explain-oom", self.file("train.log", log)).stdout, piped.stdout)

    def test_json(self):
        (error,) = records(gpumem("explain-oom", "--json", "-", input=CUDA_OOM).stdout)
        self.assertEqual((error["type"], error["source"], error["gpu"], error["line"]), ("oom_error", "PyTorch", 0, 1))
        self.assertIsNone(error["limit_bytes"])

    def test_wrapped_and_behind_prefixes(self):
        prefix = "(EngineCore_DP0 pid=123) ERROR 11-24 12:00:00 [core.py:123] "
        log = "".join(f"{prefix}{CUDA_OOM[at:at + 80]}\r\n" for at in range(0, len(CUDA_OOM), 80))
        (error,) = records(gpumem("explain-oom", "--json", input=log).stdout)
        (plain,) = records(gpumem("explain-oom", "--json", input=CUDA_OOM).stdout)
        self.assertEqual({key for key in plain if plain[key] != error[key]}, {"text", "application", "description", "measures"})  # vLLM has knobs of its own
        self.assertEqual(error["application"], "vLLM")

    def test_any_bytes_will_do(self):
        log = self.folder / "bytes.log"
        log.write_bytes(b"\xff\xfe\x00" * 50000 + b"\r\n\x1b[31m\xff " + CUDA_OOM.encode())
        (error,) = records(gpumem("explain-oom", "--json", log).stdout)
        self.assertEqual((error["gpu"], error["line"]), (0, 2))

    def test_more_kinds_than_are_kept(self):
        log = "".join(f"CUDA out of memory. Tried to allocate {mib}.00 MiB\n" for mib in range(1, 101))
        shown = gpumem("explain-oom", "--json", input=log)
        self.assertEqual(len(records(shown.stdout)), 64)
        self.assertIn("36 more errors", shown.stderr)

    def test_a_log_without_one(self):
        for log in ("", "all is well\n", "\0" * 1000):
            shown = gpumem("explain-oom", input=log)
            self.assertEqual((shown.returncode, shown.stdout), (1, ""))
            self.assertIn("there is no out-of-memory error in this log", shown.stderr)

    def test_a_file_that_cannot_be_read(self):
        missing = gpumem("explain-oom", self.folder / "no.log")
        self.assertEqual(missing.returncode, 1)
        self.assertIn("no.log: it cannot be read: No such file or directory", missing.stderr)
        self.assertIn("it cannot be read", gpumem("explain-oom", self.folder).stderr)


class Check(Folder):
    def check(self, amount, *arguments):
        return gpumem("check", "--source", self.standing_at(amount), *arguments)

    def test_the_codes_of_a_monitoring_plugin(self):
        for amount, code, word in (("4GiB", 0, "OK"), ("8.5GiB", 1, "WARNING"), ("9.2GiB", 2, "CRITICAL"),
                                   ("9.9GiB", 2, "CRITICAL")):
            with self.subTest(amount=amount):
                shown = self.check(amount)
                self.assertEqual(shown.returncode, code, shown.stderr)
                self.assertTrue(shown.stdout.startswith(f"GPUMEM {word} SIMULATED - GPU 0 "), shown.stdout)

    def test_performance_data(self):
        ten = 10 << 30
        self.assertIn(f" | gpu0_used={4 << 30}B;{ten * 8 // 10};{ten * 9 // 10};0;{ten}\n", self.check("4GiB").stdout)

    def test_thresholds(self):
        self.assertEqual(self.check("4GiB", "-w", "30%").returncode, 1)
        self.assertEqual(self.check("4GiB", "-w", "8GiB", "-c", "7GiB").returncode, 2)
        self.assertEqual(self.check("4GiB", "-w", "7GiB", "-c", "2GiB").returncode, 1)

    def test_what_cannot_be_known_is_unknown(self):
        for arguments in (["--source", "sim:nothing"], ["--nonsense"], ["--source", "sim:demo", "-w", "lots"],
                          ["--source", "sim:demo", "-w", "95%", "-c", "90%"]):
            with self.subTest(arguments=arguments):
                self.assertEqual(gpumem("check", *arguments).returncode, 3)
        no_total = self.file("t.csv", "t_s,gpu,used_bytes,total_bytes\n0,0,5,\n")
        self.assertEqual(gpumem("check", "--source", f"trace:{no_total}").returncode, 3)


if __name__ == "__main__":
    unittest.main(verbosity=1)
