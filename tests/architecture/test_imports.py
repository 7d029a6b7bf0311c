"""The directions of design section 1, held by import-linter from pyproject.toml."""

import subprocess
import sys
from pathlib import Path

import pytest
from importlinter.cli import lint_imports

from tests.patience import PATIENCE_SECONDS

ROOT = Path(__file__).parents[2]

PACKAGES = (
    "activities",
    "api.routes",
    "billing.domain",
    "billing.emulator",
    "billing.ledger",
    "billing.portone",
    "workflows",
)
MODULES = ("api.app", "billing.settings")


def test_every_import_goes_in_its_direction(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.chdir(ROOT)
    code = lint_imports(config_filename="pyproject.toml", cache_dir=str(tmp_path))
    assert code == 0, capsys.readouterr().out


@pytest.mark.parametrize(
    ("module", "line", "contract"),
    [
        ("billing/emulator/__init__.py", "import billing.portone", "Ways in"),
        ("workflows/__init__.py", "import billing.ledger", "Workflow code"),
        ("billing/domain/__init__.py", "import httpx", "Workflow code"),
        ("activities/__init__.py", "import sqlalchemy", "SQLAlchemy"),
        ("billing/emulator/__init__.py", "import httpx", "httpx"),
        ("api/routes/__init__.py", "import activities", "HTTP code"),
        ("billing/emulator/__init__.py", "import billing.domain", "The emulator"),
        ("api/app.py", "import chaos", "The product never imports"),
    ],
)
def test_the_contracts_notice_a_wrong_import(tmp_path: Path, module: str, line: str, contract: str) -> None:
    for package in PACKAGES:
        folder = tmp_path.joinpath(*package.split("."))
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "__init__.py").touch()
        (folder.parent / "__init__.py").touch()
    for name in MODULES:
        tmp_path.joinpath(*name.split(".")).with_suffix(".py").touch()
    (tmp_path / "pyproject.toml").write_text((ROOT / "pyproject.toml").read_text())
    (tmp_path / module).write_text(line + "\n")
    run = subprocess.run(
        [
            sys.executable,
            "-c",
            "from importlinter.cli import lint_imports; raise SystemExit(lint_imports(no_cache=True))",
        ],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE_SECONDS,
    )
    broken = [row for row in run.stdout.splitlines() if row.endswith("BROKEN")]
    assert run.returncode == 1, run.stdout + run.stderr
    assert any(row.startswith(contract) for row in broken), run.stdout
