"""Run Android's native library on this machine's processor, whatever kernels it takes there."""

from __future__ import annotations

import ctypes
from pathlib import Path

import pytest

from pipeline.runtimes.android_host import AndroidHost
from tests.android.float16_layers import mixed_bundle
from tests.android.host import self_test

pytestmark = pytest.mark.android
WIDEST_LOAD_BYTES = 64
REFUSED = 22


@pytest.fixture
def libc(host: AndroidHost) -> ctypes.CDLL:
    return ctypes.CDLL(str(Path(host.shim) / "libc.so"))


@pytest.mark.parametrize("alignment", [8, 16, 32, 64, 256])
def test_memory_is_aligned_for_the_widest_load(libc: ctypes.CDLL, alignment: int) -> None:
    size = ctypes.c_size_t
    memalign, aligned_alloc = libc.bionic_memalign, libc.bionic_aligned_alloc
    memalign.restype = aligned_alloc.restype = ctypes.c_void_p
    addresses = [
        allocate(size(alignment), size(bytes_))
        for allocate in (memalign, aligned_alloc)
        for bytes_ in range(16, 4096, 48)
    ]
    into = ctypes.c_void_p()
    for bytes_ in range(16, 4096, 48):
        code = libc.bionic_posix_memalign(ctypes.byref(into), size(alignment), size(bytes_))
        assert code == 0
        addresses.append(into.value)
    assert None not in addresses
    assert {address % max(alignment, WIDEST_LOAD_BYTES) for address in addresses} == {0}


@pytest.mark.parametrize("alignment", [0, 4, 24])
def test_what_is_no_alignment_stays_refused(libc: ctypes.CDLL, alignment: int) -> None:
    into = ctypes.c_void_p()
    size = ctypes.c_size_t
    assert libc.bionic_posix_memalign(ctypes.byref(into), size(alignment), size(64)) == REFUSED
    assert into.value is None


def test_an_int8_bundle_with_float16_layers_passes_its_goldens(
    tmp_path: Path, host: AndroidHost
) -> None:
    bundle = mixed_bundle(tmp_path / "bundle", tmp_path)
    done = self_test(host, bundle, tmp_path / "recording.json")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "All 8 goldens agree with the host." in done.stdout
