"""The embedded queue server, run for real."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from redis import Redis
from rq import Queue, SimpleWorker, Worker

from engines import valkey
from engines.errors import EngineFailed, EngineMissing

pytestmark = pytest.mark.valkey

# Starts a server, tells its process id, and then waits to be killed.
_OWNER = """
import sys, time
from pathlib import Path
from engines import valkey
server = valkey.start(Path(sys.argv[1]))
print(server.process.pid, flush=True)
time.sleep(60)
"""


def gone(pid: int) -> bool:
    """Whether the process ends within a minute."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        except FileNotFoundError:
            return True
        if state == "Z":  # dead, and only waiting for its new parent to notice
            return True
        time.sleep(0.02)
    return False


class TestRunning:
    def test_rq_works_on_it(self, queue):
        """A worker that forks and one that does not both run a job on the Unix socket."""
        jobs = Queue("jobs", connection=queue, serializer="json")
        for worker in (Worker, SimpleWorker):
            job = jobs.enqueue("operator.add", 2, 3)
            worker([jobs], connection=queue, serializer="json").work(burst=True, logging_level="ERROR")

            assert job.return_value(refresh=True) == 5

    def test_keeps_what_it_holds(self, tmp_path):
        """What was in the queue is there after a restart."""
        with valkey.running(tmp_path) as url, Redis.from_url(url) as client:
            client.set("kept", "yes")
        with valkey.running(tmp_path) as url, Redis.from_url(url) as client:
            assert client.get("kept") == b"yes"

    def test_leaves_nothing(self):
        """Without a directory of its own, a server takes its files with it."""
        with valkey.running() as url:
            directory = Path(url.removeprefix("unix://")).parent
            assert directory.exists()

        assert not directory.exists()

    def test_for_us_alone(self, tmp_path):
        """No other user of the machine can connect, and it listens on no port."""
        with valkey.running(tmp_path) as url, Redis.from_url(url) as client:
            assert Path(url.removeprefix("unix://")).stat().st_mode & 0o077 == 0
            assert client.config_get("port") == {"port": "0"}

    def test_deep_directory(self, tmp_path):
        """A path that is too long for a socket gets a short one, the same each time."""
        deep = tmp_path.joinpath(*["a-directory-with-a-long-name"] * 5)
        with valkey.running(deep) as url, Redis.from_url(url) as client:
            assert client.ping()
            assert valkey.start(deep).url == url


class TestStart:
    def test_joined(self, tmp_path):
        """The second to start one on a directory gets the first one's address, and cannot stop it."""
        first = valkey.start(tmp_path)
        try:
            second = valkey.start(tmp_path)
            second.stop()

            assert second.process is None
            assert second.url == first.url
            with Redis.from_url(first.url) as client:
                assert client.ping()
        finally:
            first.stop()

    @pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only Linux ties a child to its parent")
    def test_killed_parent(self, tmp_path):
        """The server ends with the process that started it, even when that is killed outright."""
        owner = subprocess.Popen([sys.executable, "-c", _OWNER, tmp_path], stdout=subprocess.PIPE, text=True)
        assert owner.stdout is not None
        with owner.stdout:
            server = int(owner.stdout.readline())
        os.kill(owner.pid, signal.SIGKILL)
        owner.wait()

        assert gone(server)
        with valkey.running(tmp_path):
            pass

    def test_broken(self, tmp_path):
        """A server that cannot start says where its log is."""
        (tmp_path / "appendonlydir").write_text("in the way")

        with pytest.raises(EngineFailed, match=r"valkey\.log"):
            valkey.start(tmp_path)


class TestFindServer:
    def test_system(self, monkeypatch, tmp_path):
        """Without the wheel the system's program is used."""
        program = tmp_path / "redis-server"
        program.touch(mode=0o755)
        monkeypatch.setattr(valkey, "find_spec", lambda name: None)
        monkeypatch.setenv("PATH", str(tmp_path))

        assert valkey.find_server() == program

    def test_none(self, monkeypatch, tmp_path):
        """Without any it says what to install."""
        monkeypatch.setattr(valkey, "find_spec", lambda name: None)
        monkeypatch.setenv("PATH", str(tmp_path))

        with pytest.raises(EngineMissing, match="valkey-server"):
            valkey.find_server()
