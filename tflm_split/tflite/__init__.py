"""The file format: bytes -> `Model` (reader), `Model` + `Edit` -> bytes (writer), bytes -> disk (save).

Only `schema.py` uses the flatbuffers bindings. `bounds.py` checks a file before the bindings read it.
"""
