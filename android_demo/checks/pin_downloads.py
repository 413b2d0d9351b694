"""Writes downloads.txt anew: resolves what the checks need with Maven, and pins it by content.

Run `python3 android_demo/checks/pin_downloads.py` after a version changed; needs `mvn`. The
checks themselves never call Maven.
"""

import hashlib
import subprocess
import sys
import tempfile
from pathlib import Path

sys.dont_write_bytecode = True
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from checks.fetch import PINS  # noqa: E402
from checks.project import versions  # noqa: E402

HEADER = """\
# Files of Maven Central that android_demo/check may download, by group: sha256, bytes, coordinates.
# Written by checks/pin_downloads.py.
"""


def _groups() -> dict[str, tuple[list[str], bool]]:
    """Return each group's roots, and whether what they depend on belongs to it."""
    v = versions()
    kotlin, tflite = v["kotlin"], v["tflite-checked"]
    # JUnit 5.x is published with platform 1.x.
    platform = v["junit"].replace("5.", "1.", 1)
    return {
        "kotlin-compiler": (
            [f"org.jetbrains.kotlin:kotlin-compiler-embeddable:{kotlin}@jar"],
            True,
        ),
        "core": (
            [
                f"org.jetbrains.kotlin:kotlin-stdlib:{kotlin}@jar",
                f"org.tensorflow:tensorflow-lite-metadata:{v['tflite-metadata']}@jar",
                f"com.drewnoakes:metadata-extractor:{v['metadata-extractor']}@jar",
                f"org.jetbrains.kotlinx:kotlinx-serialization-json-jvm:{v['serialization']}@jar",
            ],
            True,
        ),
        "core-tests": (
            [
                # Holds Jupiter and its launcher in one file.
                f"org.junit.platform:junit-platform-console-standalone:{platform}@jar",
                f"org.jetbrains.kotlin:kotlin-test:{kotlin}@jar",
                f"org.jetbrains.kotlin:kotlin-test-junit5:{kotlin}@jar",
            ],
            False,
        ),
        "tflite": (
            [
                f"org.tensorflow:tensorflow-lite:{tflite}@aar",
                f"org.tensorflow:tensorflow-lite-api:{tflite}@aar",
            ],
            False,
        ),
        # Android 15's jar is newer than Debian's aapt2 can read.
        "android": (["org.robolectric:android-all:14-robolectric-10818077@jar"], False),
        "r8": (["com.android.tools:r8:8.13.6@jar"], False),
        "robolectric": (
            [
                "org.robolectric:robolectric:4.16@jar",
                "junit:junit:4.13.2@jar",
            ],
            True,
        ),
        "sdk-34": (
            ["org.robolectric:android-all-instrumented:14-robolectric-10818077-i7@jar"],
            False,
        ),
        "sdk-35": (
            ["org.robolectric:android-all-instrumented:15-robolectric-13954326-i7@jar"],
            False,
        ),
    }


def _pom(roots: list[str], closure: bool) -> str:
    everything = "<exclusion><groupId>*</groupId><artifactId>*</artifactId></exclusion>"
    alone = "" if closure else f"<exclusions>{everything}</exclusions>"
    dependencies = ""
    for root in roots:
        module, extension = root.split("@")
        group, artifact, version = module.split(":")
        dependencies += (
            f"<dependency><groupId>{group}</groupId><artifactId>{artifact}</artifactId>"
            f"<version>{version}</version><type>{extension}</type>{alone}</dependency>"
        )
    return (
        "<project><modelVersion>4.0.0</modelVersion><groupId>pin</groupId><artifactId>pin</artifactId>"
        f"<version>1</version><dependencies>{dependencies}</dependencies></project>"
    )


def _resolve(roots: list[str], closure: bool) -> list[tuple[str, Path]]:
    """Return the coordinates and the file of everything a group needs at run time."""
    with tempfile.TemporaryDirectory() as name:
        pom, listing = Path(name, "pom.xml"), Path(name, "list.txt")
        pom.write_text(_pom(roots, closure))
        subprocess.run(
            [
                "mvn", "-q", "-B", "-f", str(pom), "dependency:list", "-DincludeScope=runtime",
                "-DoutputAbsoluteArtifactFilename=true", f"-DoutputFile={listing}",
            ],
            check=True,
        )  # fmt: skip
        lines = [line.strip() for line in listing.read_text().splitlines()]
    found = []
    for line in lines:
        fields = line.split(" -- ")[0].split(":")
        if len(fields) == 6:
            group, artifact, extension, version, _, path = fields
            found.append((f"{group}:{artifact}:{version}@{extension}", Path(path.strip())))
        elif len(fields) > 6:
            raise SystemExit(f"a classifier is not expected: {line}")
    return found


def main() -> None:
    """Resolve every group and write the list."""
    text, total_bytes = HEADER, 0
    for name, (roots, closure) in _groups().items():
        text += f"\n[{name}]\n"
        found = _resolve(roots, closure)
        missing = set(roots) - {coordinates for coordinates, _ in found}
        if missing:
            raise SystemExit(f"Maven resolved [{name}] without {sorted(missing)}")
        for coordinates, path in found:
            content = path.read_bytes()
            total_bytes += len(content)
            text += f"{hashlib.sha256(content).hexdigest()} {len(content):>9} {coordinates}\n"
    PINS.write_text(text)
    print(f"{PINS}: {total_bytes / 1e6:.0f} MB")


if __name__ == "__main__":
    main()
