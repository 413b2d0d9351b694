"""Puts the APK together, signs it, and looks at what came out."""

import struct
import zipfile
from dataclasses import dataclass
from pathlib import Path

from checks.app import package
from checks.kotlin import tflite_folder
from checks.project import BUILD, Failed, versions
from checks.shell import Step, need
from checks.shrink import to_dex

ABIS = ("arm64-v8a", "x86_64")
LIMIT_BYTES = 10_000_000
WORD_BYTES = 4
# ZIP's local header, and the extra field that apksigner knows as alignment and keeps.
HEADER_BYTES = 30
ALIGNMENT_FIELD = 0xD935
# Of a throwaway key that signs nothing but this APK.
PASSWORD = "android"
EARLIEST = (1981, 1, 1, 1, 1, 2)


@dataclass(frozen=True)
class Entry:
    """One file of an APK, as it is to be stored."""

    name: str
    content: bytes
    stored: bool


def apk(step: Step) -> list[str]:
    """Build the signed APK and check it.

    Raises:
        Failed: A tool refuses it, or it is not what a phone and the store want.
    """
    need("java", "keytool", "aapt2", "zipalign", "apksigner")
    folder = BUILD / "apk"
    folder.mkdir(parents=True, exist_ok=True)
    dex = to_dex(step, folder / "dex.zip")
    unsigned, signed = folder / "unsigned.apk", folder / "pipeline-demo.apk"
    write(unsigned, _entries(package(step), dex))
    verified = _sign(step, unsigned, signed)
    step.run(["zipalign", "-c", "-p", str(WORD_BYTES), signed])
    check_entries(signed)
    _check_manifest(step, signed)
    size_bytes = signed.stat().st_size
    if size_bytes > LIMIT_BYTES:
        raise Failed(f"the APK has {size_bytes} bytes, more than {LIMIT_BYTES}")
    return [*verified, f"{signed}: {size_bytes} bytes"]


def write(target: Path, entries: list[Entry]) -> None:
    """Write entries; stored ones start at whole words, as a phone maps them."""
    with zipfile.ZipFile(target, "w") as archive:
        for entry in entries:
            info = zipfile.ZipInfo(entry.name, EARLIEST)
            info.external_attr = 0o644 << 16
            if entry.stored:
                to = WORD_BYTES
                assert archive.fp is not None
                # The field itself has 6 bytes: its name, its length, the alignment.
                start = archive.fp.tell() + HEADER_BYTES + len(entry.name.encode()) + 6
                padding = -start % to
                info.extra = struct.pack("<HHH", ALIGNMENT_FIELD, 2 + padding, to) + bytes(padding)
            else:
                info.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(info, entry.content)


def check_entries(apk: Path) -> None:
    """Check how an APK stores its model and its libraries.

    Raises:
        Failed: The model is compressed or not at a whole word, a library is not compressed, a
            processor's library is missing, or there is no code or no model.
    """
    content = apk.read_bytes()
    with zipfile.ZipFile(apk) as archive:
        infos = {info.filename: info for info in archive.infolist()}
    libraries = [name for name in infos if name.endswith(".so")]
    models = [name for name in infos if name.endswith(".tflite")]
    if {name.split("/")[1] for name in libraries} != set(ABIS):
        raise Failed(f"the APK has libraries {libraries}, not one for each of {ABIS}")
    if len(models) != 1 or "classes.dex" not in infos:
        raise Failed(f"the APK has {len(models)} models; its files: {', '.join(infos)}")
    for name in libraries:
        # The manifest lets the phone extract them, onto pages of its own size.
        if infos[name].compress_type != zipfile.ZIP_DEFLATED:
            raise Failed(f"{name} is not compressed")
    for name in models:
        info = infos[name]
        if info.compress_type != zipfile.ZIP_STORED:
            raise Failed(f"{name} is compressed, so a phone cannot map it")
        lengths = struct.unpack_from("<HH", content, info.header_offset + 26)
        start = info.header_offset + HEADER_BYTES + sum(lengths)
        if start % WORD_BYTES:
            raise Failed(f"{name} starts at byte {start}, which is no multiple of {WORD_BYTES}")


def _entries(packaged: Path, dex: Path) -> list[Entry]:
    entries = []
    with zipfile.ZipFile(packaged) as archive:
        for info in archive.infolist():
            stored = info.compress_type == zipfile.ZIP_STORED
            entries.append(Entry(info.filename, archive.read(info), stored))
    with zipfile.ZipFile(dex) as archive:
        for name in archive.namelist():
            # Gradle leaves out what only builds need: metadata of libraries, Kotlin's of packages.
            if not name.startswith("META-INF/") and not name.endswith("/"):
                entries.append(Entry(name, archive.read(name), stored=False))
    for abi in ABIS:
        for library in sorted((tflite_folder() / "jni" / abi).glob("*.so")):
            name = f"lib/{abi}/{library.name}"
            entries.append(Entry(name, library.read_bytes(), stored=False))
    return entries


def _sign(step: Step, unsigned: Path, signed: Path) -> list[str]:
    """Sign, and return what the verifier says of the signature."""
    key = BUILD / "apk/key.p12"
    if not key.is_file():
        step.run(
            [
                "keytool", "-genkeypair", "-keystore", key, "-storetype", "PKCS12",
                "-storepass", PASSWORD, "-keypass", PASSWORD, "-alias", "key",
                "-dname", "CN=checks", "-keyalg", "RSA", "-keysize", "2048", "-validity", "10000",
            ]
        )  # fmt: skip
    minimum = ("--min-sdk-version", versions()["min-sdk"])
    step.run(
        [
            "apksigner", "sign", "--ks", key, "--ks-pass", f"pass:{PASSWORD}",
            "--ks-key-alias", "key", *minimum, "--out", signed, unsigned,
        ]
    )  # fmt: skip
    _, said = step.run(["apksigner", "verify", *minimum, "--verbose", signed])
    lines = [line for line in said.splitlines() if line.startswith(("Verif", "Number"))]
    if "Verifies" not in lines:
        raise Failed("apksigner does not say that the APK verifies")
    return lines


def _check_manifest(step: Step, signed: Path) -> None:
    _, permissions = step.run(["aapt2", "dump", "permissions", signed])
    asked = [line for line in permissions.splitlines() if line.startswith("uses-permission")]
    # Among them android.permission.INTERNET; the app promises to need none at all.
    if not permissions.startswith("package:") or asked:
        raise Failed(f"the app asks for permissions: {asked or permissions}")
    _, tree = step.run(["aapt2", "dump", "xmltree", "--file", "AndroidManifest.xml", signed])
    if any(
        "extractNativeLibs" in line and line.strip().endswith("=false")
        for line in tree.splitlines()
    ):
        raise Failed("the manifest keeps the phone from extracting the compressed libraries")
    backup = [line for line in tree.splitlines() if "allowBackup" in line]
    if len(backup) != 1 or not backup[0].strip().endswith("=false"):
        raise Failed(f"allowBackup is not false: {backup or 'not stated'}")
