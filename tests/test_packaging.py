"""What is installed is what lies in the tree: one forgotten in setup.cfg works until somebody installs."""

import configparser
import os
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
FOLDERS = ("problems", "sketching", "solvers", "bench")

pytestmark = pytest.mark.skipif(not (ROOT / "setup.cfg").exists(), reason="looks at the source tree")


def configuration():
    parser = configparser.ConfigParser()
    parser.read(ROOT / "setup.cfg")
    return parser


def declared():
    return set(configuration()["options"]["packages"].split())


def place(package):
    """Folder of a package in the tree."""
    parts = package.split(".")
    if len(parts) > 1 and parts[1] in FOLDERS:
        return ROOT.joinpath(*parts[1:])
    return ROOT.joinpath("src", *parts)


def in_the_tree():
    found = {}
    for folder, dotted in [(ROOT / name, f"karush.{name}") for name in FOLDERS] + [
        (ROOT / "src/karush", "karush")
    ]:
        for path, folders, files in os.walk(folder):
            folders[:] = [name for name in folders if name != "__pycache__"]
            if any(name.endswith(".py") for name in files):
                relative = Path(path).relative_to(folder).parts
                found[".".join((dotted, *relative))] = Path(path)
    return found


def sources():
    """Every file of the packages as it must stand below ``karush/`` in an installation."""
    found = set()
    for package in declared():
        for path in place(package).iterdir():
            if path.is_file() and path.suffix not in (".pyc", ".pyo"):
                found.add("/".join((*package.split("."), path.name)))
    return found


def test_packages_of_setup_cfg_are_those_of_the_tree():
    assert declared() == set(in_the_tree())


def test_every_package_has_its_init():
    missing = [package for package in declared() if not (place(package) / "__init__.py").is_file()]
    assert missing == []


def test_links_beside_the_sources_point_to_the_folders():
    for name in FOLDERS:
        assert (ROOT / "src/karush" / name).resolve() == ROOT / name


def test_files_that_are_no_modules_are_declared_as_package_data():
    data = configuration()["options.package_data"]
    for package in declared():
        patterns = data.get(package, "").split()
        for path in place(package).iterdir():
            if path.is_file() and path.suffix not in (".py", ".pyc"):
                assert any(path.match(pattern) for pattern in patterns), (
                    f"{path} would be missing from the wheel"
                )


@pytest.fixture(scope="module")
def distributions(tmp_path_factory):
    """The wheel, built from the source distribution, and the source distribution."""
    pytest.importorskip("build")
    out = tmp_path_factory.mktemp("dist")
    environment = {**os.environ, "PIP_DISABLE_PIP_VERSION_CHECK": "1"}
    command = [sys.executable, "-m", "build", "--outdir", str(out), str(ROOT)]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=300, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    return next(out.glob("*.whl")), next(out.glob("*.tar.gz"))


def test_wheel_is_complete_and_puts_nothing_generic_into_site_packages(distributions):
    names = set(zipfile.ZipFile(distributions[0]).namelist())
    files = {name for name in names if not name.split("/")[0].endswith(".dist-info")}
    assert {name.split("/")[0] for name in files} == {"karush"}
    assert sources() <= files


def test_source_distribution_is_complete(distributions):
    with tarfile.open(distributions[1]) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    wanted = {str((place(package) / "__init__.py").relative_to(ROOT)) for package in declared()}
    wanted |= {"setup.cfg", "pyproject.toml", "README.md", "LICENSE"}
    assert wanted <= names


def test_installed_command_is_declared():
    scripts = configuration()["options.entry_points"]["console_scripts"]
    assert "karush = karush.cli:main" in scripts
