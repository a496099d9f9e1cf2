"""One bash from the first page to the last, as a reader has it, with ports of its own."""

import os
import socket
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from threading import Timer
from typing import Self

import psutil

END = "that was all:"
PORTS = ("8000", "2525")  # the server's and the mail server's on the pages
PATIENCE = 1800.0  # seconds for all pages: an `until` that waits in vain would else wait for ever
CHECKOUT = Path(__file__).parents[2]
READER = {
    "COLUMNS": "100",  # of the terminal that the pages were written at
    "LOGNAME": "sari",  # who decides, on the pages
    "SIKLUS_TRAIN__JOBS": "1",  # the same result, without processes that each read all of scikit-learn again
    **{f"GIT_{role}_{what}": "sari" for role in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")},
}
# As an installation writes it. The guard is for the processes of a search, which import this file again.
SIKLUS = """#!{python}
import sys
from siklus.cli.main import main
if __name__ == "__main__":
    sys.exit(main())
"""


class Shell:
    """A bash in a new folder of ``home``, with `siklus` on its path; use it as a context manager."""

    def __init__(self, home: Path) -> None:
        self._home = home
        self._ports = dict(zip(PORTS, _free_ports(len(PORTS)), strict=True))
        programs, self._background = home / "programs", home / "background.log"
        programs.mkdir()
        (programs / "siklus").write_text(SIKLUS.format(python=sys.executable))
        (programs / "siklus").chmod(0o755)
        path = [str(programs), str(Path(sys.executable).parent), os.environ["PATH"]]
        reader = READER | {"HOME": str(home), "PATH": os.pathsep.join(path)}
        work = home / "course"
        work.mkdir()
        (home / "siklus").symlink_to(CHECKOUT)  # where the pages say that a reader has it
        # A pipe of its own for what bash reads: what it runs shares its standard input, which is empty.
        script, self._script = os.pipe()
        self._bash = subprocess.Popen(
            ["bash", "--noprofile", "--norc", f"/dev/fd/{script}"],
            cwd=work,
            env=os.environ | reader | {"SIKLUS_SERVE__PORT": self._ports["8000"]},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            pass_fds=(script,),
            text=True,
            start_new_session=True,
        )
        os.close(script)
        self._patience = Timer(PATIENCE, self._bash.kill)
        self._patience.start()
        self.run("set -m")  # a job is a group of its own, so that `kill %1` ends all of it

    def run(self, command: str) -> tuple[str, int]:
        """What it printed, on both streams together, and its exit code; at once where it ends with `&`."""
        words = self._own(command).rstrip()
        if words.endswith("&"):
            words = f"{{ {words[:-1]}; }} >>{self._background} 2>&1 &"
        return self._say(words)

    def write(self, name: str, text: str, *, append: bool) -> None:
        """A file of a page, in the folder where the shell is now."""
        here, _code = self._say("pwd")
        folder = Path(here.strip().replace("~", str(self._home), 1))
        with (folder / name).open("a" if append else "w", encoding="utf-8") as file:
            file.write(self._own(text))

    def background(self) -> str:
        """What was printed by all that was started with `&`."""
        return self._background.read_text(encoding="utf-8") if self._background.exists() else ""

    def _own(self, text: str) -> str:
        """A page's text with our ports, which nobody else on this machine has."""
        for shown, ours in self._ports.items():
            text = text.replace(f":{shown}", f":{ours}")
        return text

    def _say(self, command: str) -> tuple[str, int]:
        assert self._bash.stdout is not None
        script = f"{command}\ncode=$?\necho\necho '{END}' $code\n"
        os.write(self._script, script.encode())
        printed: list[str] = []
        for line in self._bash.stdout:
            if line.startswith(END):
                return self._shown("".join(printed).removesuffix("\n")), int(line.removeprefix(END))
            printed.append(line)
        raise AssertionError(f"bash ended at {command!r}:\n{''.join(printed)}")

    def _shown(self, printed: str) -> str:
        for shown, ours in self._ports.items():
            printed = printed.replace(f":{ours}", f":{shown}").replace(f"port {ours}", f"port {shown}")
        return printed.replace(str(self._home), "~")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_why: object) -> None:
        """End what still runs behind the pages, and bash; what does not end is killed."""
        if self._bash.poll() is None:
            self._say("for job in $(jobs -p); do kill -- -$job; done; wait")
        self._patience.cancel()
        os.close(self._script)
        for process in psutil.process_iter():
            with suppress(OSError, psutil.Error):
                if os.getsid(process.pid) == self._bash.pid:
                    process.kill()
        self._bash.communicate()


def _free_ports(count: int) -> list[str]:
    held = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [str(server.getsockname()[1]) for server in held]
    for server in held:
        server.close()
    return ports
