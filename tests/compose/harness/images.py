"""The images of a run: the broker's, by docker/Dockerfile, and the clients'; and bases of our own making."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

from .engine import CI, Engine, install
from .shell import Missing, check_interrupted, done, unmount_below

HERE = Path(__file__).resolve().parents[1]
ROOT = HERE.parents[1]
RUNTIME = "debian:bookworm-slim"
BUILD = "rust:1.95-bookworm"
CLIENT = "python:3.11-slim-bookworm"
# Most of what can go wrong in a build that other stages have made already is a download.
AGAIN = CI / "again"
LOCAL_RUNTIME = "leveret-test-base:runtime"
LOCAL_TOOLS = "leveret-test-base:tools"
TOOLS = "ca-certificates,gcc,libc6-dev,python3,python3-pip"
# What this machine trusts, which may be more than Debian does: a machine without a registry may have a mirror with a
# certificate of its own.
CERTIFICATES = Path("/etc/ssl/certs/ca-certificates.crt")
VARIABLES = ("SSL_CERT_FILE", "PIP_CERT", "CARGO_HTTP_CAINFO")
PULL_SECONDS = 300
IMPORT_SECONDS = 1200
BUILD_SECONDS = 5400
DEBOOTSTRAP_SECONDS = 1200
DEBOOTSTRAP_ATTEMPTS = 3


class Images:
    """Makes images and removes those that it made."""

    def __init__(self, engine: Engine, stack: ExitStack, say: Callable[[str], None], keep: bool):
        self._engine = engine
        self._stack = stack
        self._say = say
        self._keep = keep

    def bases(self, local: bool) -> dict[str, str]:
        """The names of the base images: public ones, or ours where they cannot be had."""
        public = {"RUNTIME": RUNTIME, "BUILD": BUILD, "CLIENT": CLIENT}
        if not local and all(self._has(image) or self._pulls(image) for image in public.values()):
            return public
        # By names of this run: another one on the same engine removes its own when it is done.
        self._make_bases()
        return {"RUNTIME": _ours(LOCAL_RUNTIME), "BUILD": _ours(LOCAL_TOOLS), "CLIENT": _ours(LOCAL_TOOLS)}

    def build(self, tag: str, context: Path, dockerfile: Path, arguments: dict[str, str]) -> str:
        """Builds an image and returns its name."""
        self._say(f"building {tag}")
        words = [word for name, value in arguments.items() for word in ("--build-arg", f"{name}={value}")]
        ran = done(
            str(AGAIN), "docker", "build", "--tag", tag, "--file", str(dockerfile), *words, str(context),
            environment=self._engine.environment, seconds=BUILD_SECONDS,
        )
        if ran.returncode != 0:
            raise Missing(f"{tag} could not be built:\n{ran.stdout[-6000:]}")
        self._forget_later(tag)
        return tag

    def _has(self, image: str) -> bool:
        return done("docker", "image", "inspect", image, environment=self._engine.environment).returncode == 0

    def _pulls(self, image: str) -> bool:
        self._say(f"pulling {image}")
        command = ["docker", "pull", "--quiet", image]
        try:
            ran = done(*command, environment=self._engine.environment, seconds=PULL_SECONDS)
        except subprocess.TimeoutExpired:
            reason = f"not within {PULL_SECONDS} s"
        else:
            if ran.returncode == 0:
                self._forget_later(image)
                return True
            reason = (ran.stdout.strip().splitlines() or [f"status {ran.returncode}"])[-1]
        self._say(f"it cannot be had ({reason}): the bases are made here")
        return False

    def _forget_later(self, image: str) -> None:
        # An engine of our own goes with all its images.
        if not self._keep and not self._engine.own:
            self._stack.callback(done, "docker", "image", "rm", image, environment=self._engine.environment)

    def _make_bases(self) -> None:
        wanted = {LOCAL_RUNTIME: ("ca-certificates", False), LOCAL_TOOLS: (TOOLS, True)}
        for tag in wanted:
            self._stack.callback(done, "docker", "image", "rm", _ours(tag), environment=self._engine.environment)
        missing = {tag: how for tag, how in wanted.items() if not self._tagged(tag, _ours(tag))}
        if not missing:
            return
        if not shutil.which("debootstrap"):
            install(["debootstrap"], self._say)
        self._say(f"making {' and '.join(missing)} by debootstrap")
        # The pool waits for both, also when the run is interrupted: what they made is known then, and removed.
        with ThreadPoolExecutor(len(missing)) as pool:
            for made in [pool.submit(self._make_base, tag, *how) for tag, how in missing.items()]:
                made.result()

    def _make_base(self, tag: str, packages: str, toolchain: bool) -> None:
        folder = Path(tempfile.mkdtemp(prefix="leveret-base-"))
        try:
            root = folder / "root"
            command = ["debootstrap", "--variant=minbase", f"--include={packages}", "bookworm", str(root)]
            for _ in range(DEBOOTSTRAP_ATTEMPTS):
                ran = done(*command, seconds=DEBOOTSTRAP_SECONDS)
                if ran.returncode == 0:
                    break
                check_interrupted()
                # Most of what it does is to fetch: what a mirror did not give it, it may give now.
                unmount_below(folder)
                shutil.rmtree(root, ignore_errors=True)
            else:
                raise Missing(f"`{' '.join(command)}` failed:\n{ran.stdout[-3000:]}")
            for package in (root / "var/cache/apt/archives").glob("*.deb"):
                package.unlink()
            if CERTIFICATES.exists():
                shutil.copyfile(CERTIFICATES, root / CERTIFICATES.relative_to("/"))
            if toolchain:
                _copy_toolchain(root / "usr/local")
            self._import(root, _ours(tag))
            if self._keep:
                self._tagged(_ours(tag), tag)
        finally:
            # debootstrap mounts /proc in there; one that was interrupted leaves it.
            unmount_below(folder)
            shutil.rmtree(folder, ignore_errors=True)

    def _tagged(self, tag: str, another: str) -> bool:
        """Gives an image another name, if there is one of this name."""
        return done("docker", "image", "tag", tag, another, environment=self._engine.environment).returncode == 0

    def _import(self, root: Path, tag: str) -> None:
        changes = [word for name in VARIABLES for word in ("--change", f"ENV {name}={CERTIFICATES}")]
        changes += ["--change", "ENV CARGO_NET_RETRY=10 PIP_RETRIES=10"]
        changes += ["--change", "ENV CARGO_HOME=/usr/local/cargo", "--change", 'CMD ["bash"]']
        tar = subprocess.Popen(
            ["tar", "--directory", str(root), "--numeric-owner", "--create", "--file", "-", "."], stdout=subprocess.PIPE,
        )
        try:
            imported = subprocess.run(
                ["docker", "import", *changes, "-", tag], stdin=tar.stdout, env=self._engine.environment,
                capture_output=True, text=True, timeout=IMPORT_SECONDS,
            )
            # With nobody left who reads it, tar ends as well.
            tar.stdout.close()
            if tar.wait(IMPORT_SECONDS) != 0 or imported.returncode != 0:
                raise Missing(f"{tag} could not be imported: {imported.stderr}")
        except subprocess.TimeoutExpired:
            raise Missing(f"{tag} could not be imported within {IMPORT_SECONDS} s") from None
        finally:
            tar.kill()
            tar.wait()


def _ours(tag: str) -> str:
    return f"{tag}-{os.getpid()}"


def _copy_toolchain(local: Path) -> None:
    """The compiler of this machine, and the crates that it has fetched already."""
    sysroot = Path(done("rustc", "--print", "sysroot", folder=ROOT).stdout.strip())
    if not (sysroot / "bin" / "cargo").exists():
        raise Missing("rustc does not say where it is: a Rust toolchain is needed to build the image")
    for program in ("cargo", "rustc"):
        shutil.copy2(sysroot / "bin" / program, local / "bin" / program)
    for library in (sysroot / "lib").glob("*.so*"):
        shutil.copy2(library, local / "lib" / library.name)
    for triple in (sysroot / "lib" / "rustlib").iterdir():
        if (triple / "lib").is_dir():
            shutil.copytree(triple, local / "lib" / "rustlib" / triple.name, symlinks=True)
    home = Path(os.environ.get("CARGO_HOME") or Path.home() / ".cargo")
    for part in ("index", "cache"):
        fetched = home / "registry" / part
        if fetched.is_dir():
            shutil.copytree(fetched, local / "cargo" / "registry" / part, symlinks=True)
