"""The image's files, made as its Containerfile says, and a root of a container around them, without a container."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest
from filelock import FileLock

REPOSITORY = Path(__file__).parents[2]
CONTAINERFILE = REPOSITORY / "deploy" / "Containerfile"
STATE = Path("/var/lib/mailing")
#: Makes a root for a container of what is named, and becomes its process 1, as a user whom no file names.
ENTER = """
set -euo pipefail
root=$1 volume=$2 temporary=$3 image=$4 python=$5 socket=$6; shift 6
mount -t tmpfs -o mode=755 tmpfs "$root"
cd "$root"
mkdir -p proc tmp dev/shm etc
mount -t tmpfs -o mode=1777 tmpfs dev/shm
[ -z "$temporary" ] || mount -t tmpfs -o mode=1777 tmpfs tmp
mkdir -p "./$image" "./$python" ./var/lib/mailing
show() { mount --rbind "$1" "./$1"; mount -o remount,bind,ro,nosuid "./$1"; }
for each in /usr /bin /sbin /lib /lib64; do
  if [ -L "$each" ]; then cp -P "$each" "./$each"; elif [ -d "$each" ]; then mkdir "./$each"; show "$each"; fi
done
cp /etc/ld.so.cache etc/
[ ! -d /etc/ssl ] || { mkdir etc/ssl; show /etc/ssl; }
show "$image"
show "$python"
for each in null zero random urandom; do touch "dev/$each"; mount --bind "/dev/$each" "dev/$each"; done
ln -s /proc/self/fd dev/fd
mount -t proc proc proc
[ -z "$volume" ] || mount --bind "$volume" ./var/lib/mailing
if [ -n "$socket" ]; then
  mkdir -p run/postgresql
  touch "run/postgresql/${socket##*/}"
  mount --bind "$socket" "run/postgresql/${socket##*/}"
fi
mount -o remount,bind,ro .
exec env -i "$@"
"""
USER = 10001


def why_impossible():
    """Why no such root can be made here; None if it can."""
    if os.geteuid() != 0:
        return "only root may make a mount namespace and another user's processes"
    for program in ("unshare", "setpriv", "chroot", "mount", "bash"):
        if shutil.which(program) is None:
            return f"there is no program {program}"
    trial = 'mount -t tmpfs tmpfs "$0" && mount -t proc proc /proc && mount --bind "$0" "$0"'
    command = ["unshare", "--mount", "--pid", "--fork", "sh", "-c", trial, "/mnt"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return f"a mount namespace cannot be made here: {done.stderr.strip()}" if done.returncode else None


def instructions(name):
    """The arguments of all instructions of this name in the Containerfile, as they take effect."""
    text = re.sub(r"^#.*\n", "", CONTAINERFILE.read_text(encoding="utf-8"), flags=re.MULTILINE).replace("\\\n", " ")
    return re.findall(rf"^{name} +(.*)$", text, re.MULTILINE)


def variables():
    """What the image sets in the environment."""
    (words,) = instructions("ENV")
    return dict(word.split("=", 1) for word in shlex.split(words))


@dataclass
class Container:
    """What a container of the image would be started with."""

    image: Path
    folder: Path
    environment: dict[str, str]

    @property
    def volume(self):
        return self.folder / "volume"

    def command(self, *command, volume=True, temporary=True, socket=""):
        """The command that starts one; without a volume or a folder for temporary files, if so said.

        `socket` is one of PostgreSQL's, which it has in /run/postgresql.
        """
        (root := self.folder / "root").mkdir(exist_ok=True)
        settings = [f"{name}={value}" for name, value in self.environment.items()]
        places = [root, self.volume if volume else "", "yes" if temporary else "", self.image, sys.base_prefix, socket]
        confine = [
            "/usr/sbin/chroot", root, "/usr/bin/setpriv", f"--reuid={USER}", f"--regid={USER}", "--clear-groups",
            "--no-new-privs", "--inh-caps=-all", "--bounding-set=-all",
        ]  # fmt: skip
        outside = ["unshare", "--mount", "--pid", "--fork", "--kill-child", "--propagation", "private"]
        return [*outside, "bash", "-c", ENTER, "enter", *places, *settings, *confine, *command]

    def run(self, *command, text="", **options):
        return subprocess.run(
            self.command(*command, **options), input=text, capture_output=True, text=True, timeout=60, check=False
        )

    def start(self, *command, **options):
        """Start one that runs on; returns the process outside, and the container's process 1."""
        outside = subprocess.Popen(
            self.command(*command, **options), stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
        )
        return outside, lambda: psutil.Process(outside.pid).children()[0]

    def end(self, outside):
        with suppress(psutil.Error):
            for each in psutil.Process(outside.pid).children():
                each.kill()
        outside.kill()
        outside.communicate()


@pytest.fixture(scope="session")
def image(tmp_path_factory, worker_id):
    """The folder that the image has as /opt/mailing, made by the commands of its Containerfile."""
    if (why := why_impossible()) is not None:
        pytest.skip(why)
    base = tmp_path_factory.getbasetemp()
    folder = (base if worker_id == "master" else base.parent) / "image"
    with FileLock(f"{folder}.lock"):
        if not (folder / "made").exists():
            build(folder)
            (folder / "made").touch()
    return folder / "opt"


def build(folder):
    """Run what the first stage of the Containerfile copies and runs, in other folders."""
    source = folder / "build"
    source.mkdir(parents=True)
    first = CONTAINERFILE.read_text(encoding="utf-8").split("\nFROM ")[1].replace("\\\n", " ")
    for line in first.splitlines():
        line = re.sub(r"(?<![\w.])/opt/mailing\b", str(folder / "opt"), line)  # noqa: PLW2901
        line = re.sub(r"(?<![\w.])/build\b", str(source), line)  # noqa: PLW2901
        if line.startswith("RUN "):
            path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
            done = subprocess.run(
                ["bash", "-ec", line.removeprefix("RUN ")], cwd=source, env=os.environ | {"PATH": path},
                capture_output=True, text=True, check=False,
            )  # fmt: skip
            assert done.returncode == 0, f"{line}\n{done.stdout}{done.stderr}"
        elif line.startswith("COPY "):
            copy(line.removeprefix("COPY ").split(), source)


def copy(words, source):
    mode = [word for word in words if word.startswith("--chmod=")]
    *names, to = [word for word in words if not word.startswith("--")]
    for name in names:
        origin, target = REPOSITORY / name, source / to
        if origin.is_dir():
            shutil.copytree(origin, target, ignore=shutil.ignore_patterns("__pycache__"))
            continue
        if to.endswith("/"):
            target = target / origin.name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(origin, target)
        for option in mode:
            target.chmod(int(option.removeprefix("--chmod="), 8))


@pytest.fixture
def container(image, tmp_path):
    """A container with an empty volume, which belongs to its user."""
    environment = {name: value.replace("/opt/mailing", str(image)) for name, value in variables().items()}
    made = Container(image, tmp_path, environment)
    made.volume.mkdir(mode=0o750)
    os.chown(made.volume, USER, USER)
    return made
