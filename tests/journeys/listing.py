"""Every journey as one sentence: `make journeys`."""

import ast
import sys
from pathlib import Path


def sentences(folder: Path) -> dict[str, list[str]]:
    """The names of the tests in each file of the folder, read as sentences."""
    found = {}
    for path in sorted(folder.glob("test_*.py")):
        names = [node.name for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.AsyncFunctionDef)]
        found[path.stem.removeprefix("test_").replace("_", " ")] = [
            name.removeprefix("test_").replace("_", " ") for name in names if name.startswith("test_")
        ]
    return found


def main() -> None:
    """Print them, by file."""
    for subject, lines in sentences(Path(__file__).parent).items():
        sys.stdout.write(f"\n{subject}\n" + "".join(f"  - {line[0].upper()}{line[1:]}.\n" for line in lines))


if __name__ == "__main__":
    main()
