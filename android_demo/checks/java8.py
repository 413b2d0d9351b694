"""Makes a library of the Java classes that Android of minSdk knows, for R8's closed world."""

import zipfile
from pathlib import Path

from checks import made
from checks.project import BUILD, Failed
from checks.shell import Step, need

# The modules of Java 8 whose classes Android has; no java.desktop, so an AWT class is missing
# here as it is on a phone.
MODULES = ("java.base", "java.logging", "java.xml", "java.sql")
OLDEST = "8"


def java8_jar(step: Step) -> Path:
    """Extract the class signatures that the JDK keeps for `--release 8`; return a JAR.

    Raises:
        Failed: The JDK keeps none.
    """
    need("java", "javac")
    _, said = step.run(["java", "-XshowSettings:properties", "-version"])
    homes = [line.split("=")[1].strip() for line in said.splitlines() if "java.home =" in line]
    signatures = Path(homes[0], "lib/ct.sym")

    def make(folder: Path) -> None:
        with zipfile.ZipFile(signatures) as source, zipfile.ZipFile(_jar(folder), "w") as jar:
            for name in source.namelist():
                # Releases, one character each, then the module: 879A/java.base/java/util/Map.sig
                releases, _, rest = name.partition("/")
                module, _, path = rest.partition("/")
                if OLDEST in releases and module in MODULES and path.endswith(".sig"):
                    jar.writestr(path.removesuffix(".sig") + ".class", source.read(name))

    if not signatures.is_file():
        raise Failed(f"the JDK has no {signatures}")
    return _jar(made.folder(BUILD / "java8", made.digest([], signatures, MODULES), make))


def _jar(folder: Path) -> Path:
    return folder / "java8.jar"
