"""A full disk: a download is a whole file, or the response is 503."""

import random
import resource
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from flask.testing import FlaskClient

Layer = Callable[..., str]
FILES = ["csv", "csv&dialect=excel", "fgb", "gpkg", "kml", "parquet", "shp", "xlsx"]
SIZES = [0, 65536, 262144]
"""Free bytes; the files take more."""


@pytest.fixture
def many(client: FlaskClient, layer: Layer) -> str:
    """Features of which every file takes more than 300 kB, in several batches."""
    chance = random.Random(1)
    features = []
    for number in range(400):
        shape = ", ".join(f"{chance.uniform(-9, 9)} {chance.uniform(-9, 9)}" for _ in range(120))
        text = "".join(chance.choices("abcdefghijklmnopqrstuvwxyz012345", k=250))
        features.append((f"LINESTRING({shape})", {"number": number, "text": text}))
    return f"/ogc/collections/{layer(features)}/items"


@contextmanager
def disk(folder: Path, size: int) -> Iterator[Path]:
    """Mount a disk with this many bytes free."""
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", folder],
        capture_output=True,
        text=True,
        check=False,
    )
    if mounted.returncode:
        pytest.skip(f"No disk can be mounted: {mounted.stderr}")
    try:
        filler = folder / "filler"
        filler.write_bytes(bytes(2 * 1024**2 - size))
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", folder], check=True)


def refused(client: FlaskClient, address: str) -> None:
    response = client.get(address)
    assert response.status_code == 503, (response.status_code, len(response.data))
    assert response.headers["Retry-After"]
    assert response.json is not None
    assert "full" in response.json["detail"]


@pytest.mark.parametrize("code", FILES)
def test_a_full_disk(
    client: FlaskClient, many: str, code: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    for size in SIZES:  # more often than there are file slots
        with disk(tmp_path, size):
            refused(client, f"{many}?f={code}")
            assert [path.name for path in tmp_path.iterdir()] == ["filler"]
            (tmp_path / "filler").unlink()
            assert client.get(f"{many}?f={code}&limit=10").status_code == 200


@pytest.mark.parametrize("code", FILES)
def test_a_limit_of_file_sizes(
    client: FlaskClient, many: str, code: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What needs no right to mount: writes beyond a size fail, as on a full disk."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, hard))
        refused(client, f"{many}?f={code}")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert list(tmp_path.iterdir()) == []
    whole = client.get(f"{many}?f={code}")
    assert whole.status_code == 200
    assert len(whole.data) > 300_000
