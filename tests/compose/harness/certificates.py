"""Makes an authority, a certificate of the broker and one of a client, with the openssl command."""

import shutil
from pathlib import Path

from .shell import Missing, done

CA = ("-addext", "basicConstraints=critical,CA:TRUE", "-addext", "keyUsage=critical,keyCertSign,cRLSign")
SERVER = "subjectAltName=DNS:broker,DNS:localhost,IP:127.0.0.1\nextendedKeyUsage=serverAuth\n"
CLIENT = "extendedKeyUsage=clientAuth\n"


def make(folder: Path) -> None:
    """Writes `ca.pem`, and `server.pem` and `client.pem` with their keys; `other.pem` is of an authority nobody knows."""
    if not shutil.which("openssl"):
        raise Missing("openssl is not installed: the certificates for TLS are made with it")
    folder.mkdir()
    for name in ("ca", "other"):
        _openssl(folder, "req", "-x509", *_new_key(name), "-out", f"{name}.pem", "-days", "2", "-subj", f"/CN={name}", *CA)
    _signed(folder, "server", "/CN=broker", SERVER)
    _signed(folder, "client", "/CN=tester", CLIENT)
    # The broker runs as somebody else in its container.
    for path in folder.iterdir():
        path.chmod(0o644)


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
    ran = done("openssl", *arguments, folder=folder)
    if ran.returncode != 0:
        raise Missing(f"`openssl {arguments[0]}` failed:\n{ran.stdout}")
