import pyarrow as pa

from dataplane.memory import keep_memory_small


def test_what_arrow_frees_goes_back_to_the_system() -> None:
    before = pa.default_memory_pool()
    try:
        keep_memory_small()
        assert pa.default_memory_pool().backend_name == "system"
    finally:
        pa.set_memory_pool(before)
