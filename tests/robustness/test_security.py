"""No binary looks for libraries in places that anybody may write to: the current directory above all."""

import os
import pathlib
import shutil
import subprocess
import unittest

import harness

BUILD = pathlib.Path(harness.CLOZE).resolve().parent if harness.CLOZE else None
# A library that leaves a trace when it is loaded.
PLANTED = """
#include <stdio.h>
__attribute__((constructor)) static void run(void) { FILE* f = fopen("RAN", "w"); if (f) fclose(f); }
"""


CHECK = harness.SOURCE / "tests" / "package" / "run_paths.sh"


def needed_libraries(path):
    text = subprocess.run(["readelf", "-dW", path], capture_output=True, text=True, check=True).stdout
    return [line[line.index("[") + 1:line.rindex("]")] for line in text.splitlines() if "(NEEDED)" in line]


@unittest.skipUnless(shutil.which("readelf"), "needs readelf")
class RunPaths(harness.Case):
    def assert_safe(self, *arguments):
        checked = subprocess.run([CHECK, *arguments], capture_output=True, text=True)
        self.assertEqual(checked.returncode, 0, checked.stdout + checked.stderr)

    def test_the_check(self):
        """RP: the check itself finds an empty entry, and takes one that begins with the binary's folder."""
        source = self.file("main.c", "int main(void) { return 0; }")
        for path, safe in ("::", False), ("/lib:", False), (".", False), ("lib", False), ("$ORIGIN/../lib", True):
            program = self.folder / "program"
            subprocess.run(["cc", source, "-o", program, f"-Wl,-rpath,{path}"], check=True)
            self.assertEqual(subprocess.run([CHECK, program], capture_output=True).returncode == 0, safe, path)

    def test_built(self):
        """RP: the command and everything that is built beside it has no empty or relative entry."""
        self.assert_safe("--installed", harness.CLOZE)
        self.assert_safe(*[path for path in [*BUILD.glob("*.so*"), *BUILD.glob("tests/*")] if path.is_file()],
                         harness.CLOZE)

    @unittest.skipUnless(BUILD and (BUILD / "cmake_install.cmake").exists(), "needs a build directory")
    def test_installed(self):
        """RP: nothing that is installed has one, and the installed command runs."""
        prefix = self.folder / "prefix"
        subprocess.run(["cmake", "--install", BUILD, "--prefix", prefix], check=True, stdout=subprocess.DEVNULL)
        self.assert_safe("--installed", prefix)
        version = subprocess.run([prefix / "bin" / "cloze", "--version"], capture_output=True, check=True)
        self.assertTrue(version.stdout.startswith(b"cloze "))

    @unittest.skipUnless(shutil.which("cc"), "needs a compiler")
    def test_planted_libraries(self):
        """RP: libraries in the current directory are not loaded, whatever their name."""
        folder = self.folder / "planted"
        folder.mkdir()
        source = self.file("planted.c", PLANTED)
        library = folder / "planted.so"
        subprocess.run(["cc", "-shared", "-fPIC", "-o", library, source], check=True)
        for name in needed_libraries(harness.CLOZE) + ["libcurl.so.4", "libcurl.so", "libssl.so.3"]:
            shutil.copy(library, folder / name)
        env = {key: value for key, value in os.environ.items() if key != "LD_LIBRARY_PATH"}
        for arguments in ["--version"], ["info", "--model", harness.GOLDENS / "bare_odd"]:
            finished = subprocess.run([harness.CLOZE, *arguments], cwd=folder, env=env, capture_output=True)
            self.assertEqual(finished.returncode, 0, finished.stderr)
        finished = harness.cloze("pull", "owner/model", cwd=folder, env={"HF_ENDPOINT": "http://127.0.0.1:9",
                                                                       "HF_HUB_CACHE": str(self.folder / "hub")})
        self.assertEqual(finished.code, 1, repr(finished))
        self.assertFalse((folder / "RAN").exists())


if __name__ == "__main__":
    harness.main()
