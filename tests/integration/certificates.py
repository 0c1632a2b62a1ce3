# SPDX-License-Identifier: LGPL-2.1-or-later
"""Certificates of a test's own, in libvirt's layout, made by openssl."""

import shutil
import subprocess

import harness

EC = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"]
USAGE = "keyUsage=digitalSignature,keyEncipherment\n"


def openssl(folder, *words):
    subprocess.run(["openssl", *words], cwd=folder, check=True, capture_output=True)


def folder(path, name="127.0.0.1"):
    """An authority, and both a server's certificate (for that number) and a client's."""
    if not shutil.which("openssl"):
        raise harness.Skip("no openssl here (./dev setup)")
    path.mkdir(mode=0o700)
    openssl(path, "req", "-x509", *EC, "-subj", "/CN=an authority of a test", "-keyout", "ca-key.pem", "-out", "ca-cert.pem",
            "-addext", "keyUsage=critical,keyCertSign")
    for who, more in (("server", f"extendedKeyUsage=serverAuth\nsubjectAltName=IP:{name},DNS:there.example\n"),
                      ("client", "extendedKeyUsage=clientAuth\n")):
        (path / "ext").write_text(USAGE + more, encoding="ascii")
        openssl(path, "req", *EC, "-subj", f"/CN={who}", "-keyout", f"{who}-key.pem", "-out", "csr")
        openssl(path, "x509", "-req", "-days", "2", "-in", "csr", "-CA", "ca-cert.pem", "-CAkey", "ca-key.pem",
                "-CAcreateserial", "-extfile", "ext", "-out", f"{who}-cert.pem")
        (path / f"{who}-key.pem").chmod(0o600)
    return path
