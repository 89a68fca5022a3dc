"""A real S3 server: versitygw over a folder."""

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from pydantic import SecretStr

from samsyn_model.settings import Settings

ACCESS_KEY, SECRET_KEY, BUCKET = "samsyn", "a-secret-of-the-tests", "files"


@contextmanager
def s3_server(folder: Path) -> Iterator[Settings]:
    """Run a server with one bucket; yield the settings of it. Skips without versitygw."""
    program = shutil.which(
        "versitygw", path=f"{os.environ['PATH']}:{Path.home() / '.cache/samsyn/bin'}"
    )
    if program is None:
        pytest.skip("no versitygw on the PATH or in ~/.cache/samsyn/bin")
    root, attributes = folder / "root", folder / "attributes"
    (root / BUCKET).mkdir(parents=True)
    attributes.mkdir()
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    environment = {
        "PATH": os.environ["PATH"],
        "ROOT_ACCESS_KEY": ACCESS_KEY,
        "ROOT_SECRET_KEY": SECRET_KEY,
    }
    command = [program, "--port", f"127.0.0.1:{port}", "posix", "--sidecar", str(attributes)]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [*command, str(root)], env=environment, stdout=log, stderr=subprocess.STDOUT
        )
    try:
        _wait(port, process, folder / "log")
        yield settings_of(f"http://127.0.0.1:{port}")
    finally:
        process.terminate()
        process.wait(10)


def settings_of(endpoint: str, secret_key: str = SECRET_KEY) -> Settings:
    """Return settings of the bucket at an address."""
    return Settings(
        _env_file=None,
        s3_bucket=BUCKET,
        aws_access_key_id=ACCESS_KEY,
        aws_secret_access_key=SecretStr(secret_key),
        aws_endpoint_url=endpoint,
    )


def _wait(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    end = time.monotonic() + 20
    while time.monotonic() < end:
        if process.poll() is not None:
            break
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise AssertionError(f"versitygw did not start: {log.read_text()[-2000:]}")
