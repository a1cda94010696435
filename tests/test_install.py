"""What a user gets who installs the wheel, per extra, into an environment of its own."""

from __future__ import annotations

import re
import subprocess
import sys
import zipfile
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PATIENCE = 600
"""Seconds; installs fetch from a package index."""

pytestmark = [pytest.mark.slow, pytest.mark.timeout(PATIENCE)]

ABSENT_FROM_THE_CLIENT = ["aiohttp", "anyio", "click", "litellm", "orjson", "pydantic", "rich"]


@dataclass(frozen=True)
class Environment:
    """A virtual environment with the wheel in it."""

    folder: Path

    def run(self, *command: str) -> subprocess.CompletedProcess[str]:
        """Runs one of its programs, away from the repository."""
        return subprocess.run(
            [str(self.folder / "bin" / command[0]), *command[1:]],
            cwd=self.folder,
            env={"PATH": f"{self.folder}/bin:/usr/bin:/bin", "HOME": str(self.folder)},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )

    def prints(self, code: str) -> str:
        """What a Python program prints."""
        done = self.run("python", "-W", "error", "-c", code)
        assert done.returncode == 0, done.stderr

        return done.stdout.strip()


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    _call(sys.executable, "-m", "venv", str(folder / "builder"))
    pip = [str(folder / "builder/bin/pip"), "wheel", "--quiet", "--no-deps"]
    _call(*pip, "--wheel-dir", str(folder), str(ROOT))

    return next(folder.glob("headrace-*.whl"))


@pytest.fixture(scope="module")
def base(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Environment:
    return _installed(str(wheel), tmp_path_factory.mktemp("base"))


@pytest.fixture(scope="module")
def cli(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Environment:
    return _installed(f"{wheel}[cli]", tmp_path_factory.mktemp("cli"))


@pytest.fixture(scope="module")
def service(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Environment:
    return _installed(f"{wheel}[service]", tmp_path_factory.mktemp("service"))


@pytest.fixture(scope="module")
def gateway(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Environment:
    return _installed(f"{wheel}[gateway]", tmp_path_factory.mktemp("gateway"))


def test_the_wheel_holds_its_typed_packages_and_nothing_else(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    packages = {name.partition("/")[0] for name in names if ".dist-info/" not in name}

    assert packages == {
        "headrace",
        "headrace_client",
        "headrace_gateway",
        "headrace_mock",
        "headrace_proto",
    }
    assert {f"{package}/py.typed" for package in packages} <= set(names)


def test_the_client_installs_without_the_runtime(base: Environment) -> None:
    installed = base.prints(
        "from importlib.metadata import distributions as all;"
        "print(*sorted(one.metadata['Name'].lower() for one in all()))"
    ).split()

    assert [name for name in ABSENT_FROM_THE_CLIENT if name in installed] == []


def test_the_client_imports_without_the_runtime(base: Environment) -> None:
    imported = base.prints(
        "import sys, headrace_client; print(*{name.partition('.')[0] for name in sys.modules})"
    ).split()

    assert "headrace_client" in imported
    assert [name for name in ["headrace", *ABSENT_FROM_THE_CLIENT] if name in imported] == []


def test_importing_the_runtime_without_its_extra_says_what_to_install(base: Environment) -> None:
    failed = base.run("python", "-c", "import headrace")

    assert failed.returncode == 1
    assert "pip install 'headrace[service]'" in failed.stderr.splitlines()[-1]


def test_the_command_without_its_extra_says_what_to_install(base: Environment) -> None:
    failed = base.run("headrace", "programs")

    assert failed.returncode != 0
    assert [line for line in failed.stderr.splitlines() if "headrace[cli]" in line] != []
    assert len(failed.stderr.splitlines()) == 1


@pytest.mark.parametrize("command", ["serve", "mock-lm"])
def test_serving_without_the_extra_says_what_to_install(cli: Environment, command: str) -> None:
    failed = cli.run("headrace", command)

    assert failed.returncode != 0
    assert len(failed.stderr.splitlines()) == 1
    assert "headrace[service]" in failed.stderr


def test_the_gateway_without_its_extra_says_what_to_install(cli: Environment) -> None:
    failed = cli.run("headrace", "gateway")

    assert failed.returncode != 0
    assert len(failed.stderr.splitlines()) == 1
    assert "headrace[gateway]" in failed.stderr


def test_the_gateway_needs_no_runtime(gateway: Environment) -> None:
    helped = gateway.run("headrace", "gateway", "--help")
    page = gateway.prints(
        "from headrace_gateway.app import FOLDER; print((FOLDER / 'main.js').exists())"
    )

    assert helped.returncode == 0, helped.stderr
    assert page == "True"
    assert gateway.run("python", "-c", "import headrace").returncode == 1


def test_the_command_line_needs_only_its_extra(cli: Environment) -> None:
    helped = cli.run("headrace", "--help")

    assert helped.returncode == 0, helped.stderr
    assert "programs" in helped.stdout


def test_the_page_of_the_package_links_to_places_that_an_index_can_show(wheel: Path) -> None:
    targets = re.findall(r"\]\(([^)]+)\)", _metadata(wheel))

    assert len(targets) > 10
    assert [target for target in targets if not target.startswith("https://")] == []


def test_the_service_has_its_command_with_its_extra_alone(service: Environment) -> None:
    helped = service.run("headrace", "serve", "--help")

    assert helped.returncode == 0, helped.stderr


def test_the_extra_all_names_what_the_others_do(wheel: Path) -> None:
    wanted: dict[str, set[str]] = {}

    for requirement, extra in re.findall(
        r"^Requires-Dist: (\S+?)[;\[<>=! ].*extra == '(\w+)'", _metadata(wheel), re.MULTILINE
    ):
        wanted.setdefault(extra, set()).add(requirement)

    everything = wanted.pop("all")

    assert set(wanted) == {"cli", "gateway", "service", "uvloop"}
    assert everything == set().union(*wanted.values())


def test_the_mock_provider_comes_with_the_service(service: Environment) -> None:
    listed = service.run("headrace", "mock-lm", "--list")

    assert listed.returncode == 0, listed.stderr
    assert "fault-reset-mid-stream" in listed.stdout


def test_the_service_imports_with_its_extra_alone(service: Environment) -> None:
    assert service.prints("import headrace, headrace.server; print('fine')") == "fine"


def test_importing_the_runtime_leaves_litellm_alone(service: Environment) -> None:
    assert service.prints("import sys, headrace; print('litellm' in sys.modules)") == "False"


def _metadata(wheel: Path) -> str:
    with zipfile.ZipFile(wheel) as opened:
        name = next(name for name in opened.namelist() if name.endswith("/METADATA"))

        return opened.read(name).decode()


def _installed(requirement: str, folder: Path) -> Environment:
    _call(sys.executable, "-m", "venv", str(folder))
    _call(str(folder / "bin/pip"), "install", "--quiet", requirement)

    return Environment(folder)


def _call(*command: str) -> None:
    done = subprocess.run(
        command,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert done.returncode == 0, done.stderr
