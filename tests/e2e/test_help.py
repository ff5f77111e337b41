# SPDX-License-Identifier: Apache-2.0
"""What --help says is what a stranger works from: expected/help.txt. After a wanted change: OF_UPDATE=1 tests/run e2e help."""
import os
import subprocess

from procs import REPO, program
from runner import test

EXPECTED = os.path.join(REPO, "tests/e2e/expected/help.txt")
COMMANDS = ("migrate", "keys new", "keys rotate", "connect", "set", "pause", "resume", "disconnect", "sync", "poll", "reconcile", "status", "watch",
            "settle", "explain", "push", "link", "unlink", "work list", "work retry", "work release", "dlq stats", "dlq list",
            "dlq show", "dlq export", "dlq replay", "dlq discard", "review list", "review show", "review accept", "review reject",
            "config show")


def said(name, *words):
    env = {k: v for k, v in os.environ.items() if not k.startswith("OF_")}
    done = subprocess.run([program(name), *words], env=env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, text=True, timeout=20, check=False)
    assert done.returncode == 0 and not done.stderr, (words, done)
    assert all(len(line) <= 132 for line in done.stdout.splitlines()), f"{words}: a line is too long for a terminal"
    # the settings are held by docs/configuration.md and its test
    lines = [line for line in done.stdout.splitlines() if not line.startswith("  OF_")]
    return f"$ {name} {' '.join(words)}\n" + "\n".join(lines) + "\n\n"


@test(timeout=30)
def help_texts():
    text = said("openfaithctl", "--help")
    for command in COMMANDS:
        assert f"  {command} " in text, f"{command} is not in the list"
    listed = [line[2:16].strip() for line in text.split("Commands:\n")[1].split("\n\n")[0].splitlines()]
    assert sorted(listed) == sorted(COMMANDS), listed
    text += "".join(said("openfaithctl", *command.split(), "--help") for command in COMMANDS)
    text += said("openfaith-scheduler", "--help")
    if os.environ.get("OF_UPDATE"):
        with open(EXPECTED, "w", encoding="utf-8") as out:
            out.write(text)
    with open(EXPECTED, encoding="utf-8") as wanted:
        if wanted.read() != text:
            now = EXPECTED + ".now"
            with open(now, "w", encoding="utf-8") as out:
                out.write(text)
            diff = subprocess.run(["diff", "-u", EXPECTED, now], stdout=subprocess.PIPE, text=True, check=False).stdout
            os.unlink(now)
            raise AssertionError("the help texts have changed:\n" + diff)
