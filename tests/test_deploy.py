"""Files for clusters call commands that exist, with options that exist."""

import json
import os
import re
import shutil
import socket
import subprocess
from pathlib import Path

import pytest

from tests.commands import checked, parsed

ROOT = Path(__file__).resolve().parents[1]
SCRIPTS = [ROOT / "deploy/slurm.sh", ROOT / ".ci/run"]


def lines(path):
    joined = path.read_text(encoding="utf-8").replace("\\\n", " ")
    return [line.strip() for line in joined.splitlines()]


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.name)
def test_shell_is_well_formed(path):
    assert subprocess.run(["bash", "-n", path], capture_output=True).stderr == b""
    assert os.access(path, os.X_OK)
    assert "set -euo pipefail" in lines(path)


def test_slurm_script_calls_commands_that_exist():
    called = [line for line in lines(ROOT / "deploy/slurm.sh") if line.startswith("daskstem ")]
    assert [line.split()[1] for line in called] == ["run", "report"]
    for line in called:
        parsed(line.replace('"$@"', "default scan.zarr"))


def test_slurm_script_gives_dask_options_that_it_has():
    script = " ".join(lines(ROOT / "deploy/slurm.sh"))
    for name in ("scheduler", "worker"):
        said = subprocess.run(["dask", name, "--help"], capture_output=True, text=True).stdout
        call = re.search(rf"dask {name} (.*?) &", script)[1]
        tls = re.search(r"tls=\((.*?)\)", script)[1]
        for option in re.findall(r"--[a-z-]+", f"{call} {tls}"):
            assert option in said, f"dask {name} has no {option}"


def test_job_runs_a_command_that_exists():
    text = (ROOT / "deploy/kubernetes.yaml").read_text(encoding="utf-8")
    arguments = json.loads(re.search(r"args: (\[.*\])", text)[1])
    values = checked(" ".join(["daskstem", *arguments]))
    assert str(values["store"]) == "/data/scan.zarr"


def test_image_starts_the_command():
    text = lines(ROOT / "deploy/Dockerfile")
    assert 'ENTRYPOINT ["daskstem"]' in text
    for line in text:
        if line.startswith("#") and " daskstem run " in line:
            checked("daskstem run " + line.split(" daskstem run ")[1])


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def make_certificates(folder):
    """Make an authority and a certificate signed by it, valid for a day."""
    for arguments in (
        "req -x509 -newkey rsa:2048 -nodes -keyout ca.key -out ca.pem -subj /CN=ca -days 1",
        "req -newkey rsa:2048 -nodes -keyout key.pem -out request.pem -subj /CN=localhost",
        "x509 -req -in request.pem -CA ca.pem -CAkey ca.key -CAcreateserial -out cert.pem -days 1",
    ):
        subprocess.run(
            ["openssl", *arguments.split()], cwd=folder, check=True, capture_output=True
        )


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl makes the certificates")
def test_slurm_script_runs_a_recipe_over_tls(tmp_path):
    make_certificates(tmp_path)
    srun = tmp_path / "srun"
    srun.write_text('#!/usr/bin/env bash\nshift\nexec "$@"\n')
    srun.chmod(0o755)
    given = {
        "PATH": f"{tmp_path}{os.pathsep}{os.environ['PATH']}",
        "DASKSTEM_TLS_CA": str(tmp_path / "ca.pem"),
        "DASKSTEM_TLS_CERT": str(tmp_path / "cert.pem"),
        "DASKSTEM_TLS_KEY": str(tmp_path / "key.pem"),
        "DASKSTEM_HOST": "127.0.0.1",
        "DASKSTEM_PORT": str(free_port()),
    }
    simulated = ["daskstem", "simulate", "scan.zarr", "--shape", "1", "16", "16", "32", "32"]
    subprocess.run(simulated, cwd=tmp_path, check=True, capture_output=True)
    done = subprocess.run(
        ["bash", ROOT / "deploy/slurm.sh", "default", "scan.zarr"],
        cwd=tmp_path,
        env={**os.environ, **given},
        capture_output=True,
        text=True,
        timeout=240,
    )
    assert done.returncode == 0, done.stderr
    assert "Registered to:" in done.stderr
    assert "tls://127.0.0.1" in done.stderr
    assert (tmp_path / "scan.zarr/clusters/zarr.json").exists()
