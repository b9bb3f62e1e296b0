"""Does every broken .tflite end in a result or in one sentence, within 60 s and 2 GB?

    python scripts/fuzz_reader.py --mutations 10000                     # coverage-guided, needs the extra `fuzz`
    python scripts/fuzz_reader.py --mutations 10000 --engine seeded     # the same changes, blindly; goes on after findings
    python scripts/fuzz_reader.py FILE...                               # judge these files

Each mutation (`fuzz_mutations.py`) goes through `optimize`, `inspect` and a round trip of reader and writer; every
`--verify-every`th one through real TFLM as well. Exit code 0: nothing found; 1: findings, kept in `--findings`.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import signal
import subprocess
import sys
import time
import traceback
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from random import Random
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "scripts"), str(ROOT / "tests")]

MAX_SECONDS = 60
MAX_BYTES = 2 << 30
BAD_INPUT = 2
_MAX_SENTENCE = 2_000


class FindingError(Exception):
    """A file that ended in neither a result nor a sentence."""


def judge(data: bytes, verify: bool = False) -> str:
    """How each entrance ends on this file: `split`, `kept`, `ok`, or `refused`. Raises FindingError for anything else."""
    return " ".join(
        f"{name}:{_outcome(name, enter, data)}"
        for name, enter in (("optimize", _verified if verify else _optimize), ("inspect", _inspect), ("trip", _trip))
    )


def _outcome(name: str, enter: Any, data: bytes) -> str:
    from tflm_split.errors import TflmSplitError

    try:
        return str(enter(data))
    except TflmSplitError as error:
        if error.exit_code != BAD_INPUT or not str(error) or len(str(error)) > _MAX_SENTENCE:
            raise FindingError(f"{name}: exit code {error.exit_code}: {error}") from error
        return "refused"
    except FindingError:
        raise
    except Exception as error:
        raise FindingError(f"{name}: {type(error).__name__}: {error}") from error


def _optimize(data: bytes, verify: bool = False) -> str:
    import tflm_split

    result = tflm_split.optimize(data, verify=verify, effort=20, inputs=2)
    json.dumps(result.report)
    if not str(result):
        raise FindingError("optimize: no summary")
    return "kept" if result.report["kept_original"] else "split"


def _verified(data: bytes) -> str:
    return "verified-" + _optimize(data, verify=True)


def _inspect(data: bytes) -> str:
    from tflm_split.report.inspection import inspect_model, inspection_text

    record, operators = inspect_model(data, axes=True)
    json.dumps(record)
    inspection_text(record, operators)
    return "ok"


def _trip(data: bytes) -> str:
    from tflm_split.tflite.edit import Edit
    from tflm_split.tflite.reader import read_model
    from tflm_split.tflite.writer import write_model

    first = read_model(data)
    second = write_model(first, Edit(drop_unused_tensors=False))
    # repr, because a scale that is not a number does not equal itself.
    if repr(first.graph) != repr(second.graph):
        raise FindingError("trip: the graph that was written is not the one that was read")
    return "ok"


@contextmanager
def limits(seconds: int = MAX_SECONDS) -> Iterator[None]:
    """A FindingError for whatever takes longer."""

    def late(*_: object) -> None:
        raise FindingError(f"takes longer than {seconds} s")

    before = signal.signal(signal.SIGALRM, late)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def place_of(error: BaseException) -> str:
    """Which line of the package raised it: findings of one place are one finding."""
    cause = error.__cause__ or error
    frames = [f for f in traceback.extract_tb(cause.__traceback__) if "tflm_split" in f.filename]
    at = [f"{Path(f.filename).name}:{f.lineno}" for f in frames[-1:]]
    return " ".join([type(cause).__name__, *at])


def run_seeded(mutations: int, seed: int, verify_every: int, findings: Path) -> int:
    """The blind engine; gives the number of distinct findings."""
    from fuzz_mutations import mutate
    from fuzz_seeds import model_seeds

    random, outcomes, places = Random(seed), Counter[str](), Counter[str]()
    seeds, slowest, started = model_seeds(), 0.0, time.monotonic()
    with open("/proc/self/statm") as file:
        in_use = int(file.read().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (in_use + MAX_BYTES, in_use + MAX_BYTES))
    pool: list[bytes] = []
    for k in range(mutations):
        origin = random.choice(pool) if pool and random.random() < 0.3 else random.choice(seeds)
        data, begun = mutate(origin, random), time.monotonic()
        try:
            with limits():
                outcome = judge(data, verify=verify_every > 0 and k % verify_every == 0)
            outcomes[outcome] += 1
            if "refused" not in outcome:
                pool = [*pool[-500:], data]
        except FindingError as error:
            place = place_of(error)
            places[place] += 1
            if places[place] <= 2:
                path = findings / f"finding-{sha256(data).hexdigest()[:12]}.tflite"
                path.write_bytes(data)
                print(f"FOUND {place}: {' '.join(str(error).split())[:300]}: {path}", flush=True)
        slowest = max(slowest, time.monotonic() - begun)
    peak_bytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    for outcome, count in outcomes.most_common():
        print(f"{count:8,} {outcome}")
    print(
        f"{mutations:,} mutations of {len(seeds)} seeds in {time.monotonic() - started:,.0f} s, "
        f"slowest {slowest:.1f} s, peak {peak_bytes / 2**20:,.0f} MiB, {len(places)} findings"
    )
    return len(places)


def run_atheris(mutations: int, seed: int, verify_every: int, findings: Path) -> int:
    """The coverage-guided engine, in a process of its own; libFuzzer watches over time and memory."""
    corpus = findings / "corpus"
    corpus.mkdir(exist_ok=True)
    options = [f"-runs={mutations}", f"-seed={seed + 1}", f"-timeout={MAX_SECONDS}", f"-rss_limit_mb={MAX_BYTES >> 20}"]
    options += [
        "-max_len=65536",
        "-len_control=0",
        f"-artifact_prefix={findings}/",
        "-print_final_stats=1",
        str(corpus),
    ]
    command = [sys.executable, __file__, "--as-worker", "--verify-every", str(verify_every), "--", *options]
    return subprocess.run(command, check=False, env=os.environ | {"PYTHONHASHSEED": "0"}).returncode


def atheris_worker(verify_every: int, options: list[str]) -> None:
    """What runs in that process."""
    import atheris

    with atheris.instrument_imports(include=["tflm_split"]):  # before anything else imports a part of it
        import tflm_split.pipeline
        import tflm_split.report.inspection
        import tflm_split.tflite.writer  # noqa: F401
    from fuzz_mutations import mutate
    from fuzz_seeds import model_seeds

    seeds = model_seeds()
    corpus = Path(options[-1])
    for seed in seeds:
        (corpus / sha256(seed).hexdigest()[:16]).write_bytes(seed)
    counts: Counter[str] = Counter()

    def custom_mutator(data: bytes, max_size: int, seed: int) -> bytes:
        made = mutate(data, Random(seed))
        return made if len(made) <= max_size else made[:max_size]

    def one_input(data: bytes) -> None:
        counts["runs"] += 1
        with limits():
            counts[judge(data, verify=verify_every > 0 and counts["runs"] % verify_every == 0)] += 1
        if counts["runs"] % 1000 == 0:
            print(dict(counts.most_common(8)), flush=True)

    atheris.Setup([sys.argv[0], *options], one_input, custom_mutator=custom_mutator)
    atheris.Fuzz()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--mutations", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--engine", choices=("atheris", "seeded"), default="atheris")
    parser.add_argument("--verify-every", type=int, default=0, metavar="N", help="run every Nth in TFLM; 0: none")
    parser.add_argument("--findings", type=Path, default=Path("fuzz_findings"), help="where broken files are kept")
    parser.add_argument("--as-worker", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("files", nargs="*")
    options = parser.parse_args()
    if options.as_worker:
        atheris_worker(options.verify_every, options.files)
        return 0
    for name in options.files:
        with limits():
            print(name, judge(Path(name).read_bytes(), verify=options.verify_every > 0))
    if options.files:
        return 0
    options.findings.mkdir(parents=True, exist_ok=True)
    run = run_atheris if options.engine == "atheris" else run_seeded
    return 1 if run(options.mutations, options.seed, options.verify_every, options.findings.resolve()) else 0


if __name__ == "__main__":
    sys.exit(main())
