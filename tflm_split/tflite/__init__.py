"""The file format: bytes -> `Model` (reader), `Model` + `Edit` -> bytes (writer), bytes -> disk (save).

`schema.py` is the only door to the flatbuffers bindings; `bounds.py` looks at a file before the bindings do.
"""
