"""What the image is made of, read from its recipe."""

import re
from pathlib import Path

import yaml

ROOT = Path(__file__).parents[2]
DOCKERFILE = (ROOT / "Dockerfile").read_text().replace("\\\n", " ")
INSTRUCTIONS = [line for line in DOCKERFILE.splitlines() if line and not line.startswith("#")]
FINAL = INSTRUCTIONS[max(i for i, line in enumerate(INSTRUCTIONS) if line.startswith("FROM ")) :]


def test_every_base_image_is_pinned_by_a_tag() -> None:
    bases = [line.split()[1] for line in INSTRUCTIONS if line.startswith("FROM ")]
    assert len(bases) == 2
    assert [base for base in bases if not re.fullmatch(r"python:3\.1[123][0-9a-z.-]*", base)] == []


def test_the_final_stage_runs_as_nobody_special() -> None:
    users = [line.split()[1] for line in FINAL if line.startswith("USER ")]
    assert users
    assert re.fullmatch(r"[1-9]\d{4,}:[1-9]\d{4,}", users[-1])
    assert not any(line.startswith(("RUN", "COPY")) for line in FINAL[FINAL.index(f"USER {users[-1]}") :])


def test_production_carries_neither_the_local_extra_nor_the_development_group() -> None:
    syncs = [line for line in INSTRUCTIONS if "uv sync" in line]
    assert len(syncs) == 2
    for line in syncs:
        assert {"--frozen", "--no-dev"} <= set(line.split())
        assert "--extra" not in line
        assert "--all-extras" not in line
    assert not any("pip install" in line or "apt-get" in line or "curl" in line for line in FINAL)


def test_the_image_and_the_makefile_use_the_same_uv() -> None:
    pinned = re.search(r"uv==([\d.]+)", DOCKERFILE)
    made = re.search(r"^UV_VERSION := ([\d.]+)$", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert pinned
    assert made
    assert pinned[1] == made[1]


def test_what_is_copied_exists_and_is_not_ignored() -> None:
    kept = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    copied = {
        s for line in INSTRUCTIONS if line.startswith("COPY ") and "--from" not in line for s in line.split()[1:-1]
    }
    assert {source for source in copied if not (ROOT / source).exists()} == set()
    assert copied == kept


def test_the_dynamic_configuration_is_what_the_server_reads() -> None:
    keys = yaml.safe_load((ROOT / "deploy" / "temporal" / "dynamicconfig.yaml").read_text())
    for values in keys.values():
        assert [set(value) for value in values] == [{"value", "constraints"}]
