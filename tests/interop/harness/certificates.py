"""Makes an authority, a certificate of localhost and one of a client, with the openssl command."""

import shutil
import subprocess
from pathlib import Path

from .environment import Missing

OPENSSL_SECONDS = 60
CA = (
    "-addext", "basicConstraints=critical,CA:TRUE",
    "-addext", "keyUsage=critical,keyCertSign,cRLSign",
)
SERVER = "subjectAltName=DNS:localhost,IP:127.0.0.1\nextendedKeyUsage=serverAuth\n"
CLIENT = "extendedKeyUsage=clientAuth\n"


def make(folder: Path) -> None:
    """Writes `ca.pem`, and `server.pem` and `client.pem` with their keys; the client is guest by its common name."""
    if not shutil.which("openssl"):
        raise Missing("openssl is not installed: the certificates for TLS are made with it")
    folder.mkdir()
    _openssl(folder, "req", "-x509", *_new_key("ca"), "-out", "ca.pem", "-days", "2", "-subj", "/CN=Interop", *CA)
    _signed(folder, "server", "/CN=broker", SERVER)
    _signed(folder, "client", "/O=Interop/CN=guest", CLIENT)


def _signed(folder: Path, name: str, subject: str, extensions: str) -> None:
    (folder / f"{name}.ext").write_text(extensions)
    _openssl(folder, "req", *_new_key(name), "-out", f"{name}.csr", "-subj", subject)
    _openssl(
        folder, "x509", "-req", "-in", f"{name}.csr", "-CA", "ca.pem", "-CAkey", "ca-key.pem", "-CAcreateserial",
        "-days", "2", "-extfile", f"{name}.ext", "-out", f"{name}.pem",
    )


def _new_key(name: str) -> tuple[str, ...]:
    return ("-newkey", "rsa:2048", "-nodes", "-keyout", f"{name}-key.pem")


def _openssl(folder: Path, *arguments: str) -> None:
    done = subprocess.run(["openssl", *arguments], cwd=folder, capture_output=True, text=True, timeout=OPENSSL_SECONDS)
    if done.returncode != 0:
        raise Missing(f"`openssl {arguments[0]}` failed:\n{done.stderr}")
