"""How much flash and RAM does a firmware image take, by section and by symbol? The ELF file says it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tflm_split.errors import InputError, ToolError

PROGRAM_SYMBOL = "board_program"
WORKSPACE_SYMBOL = "board_workspace"
EXECUTOR_SECTION = ".split_nn"
SLOW_SECTION = ".slow"
_STACK_SECTION = ".stack"


@dataclass(frozen=True, slots=True)
class Section:
    """A section of the image. `in_flash`: its bytes are stored in flash. `in_ram`: it takes RAM. `.data` does both."""

    name: str
    bytes: int
    in_flash: bool
    in_ram: bool


@dataclass(frozen=True, slots=True)
class Symbol:
    """A named function or variable: its section, and its size in bytes."""

    name: str
    section: str
    bytes: int


@dataclass(frozen=True, slots=True)
class ElfSizes:
    """Sections in the order of memory, and symbols of more than 0 bytes, largest first.

    The stack's reserve is a section, but is not counted as RAM here: how much of it is used is measured on the board.
    """

    sections: tuple[Section, ...]
    symbols: tuple[Symbol, ...]

    @property
    def flash_bytes(self) -> int:
        """All that is stored in flash."""
        return sum(s.bytes for s in self.sections if s.in_flash)

    @property
    def data_bytes(self) -> int:
        """RAM of initialised variables, which take as much flash, too."""
        return sum(s.bytes for s in self.sections if s.in_ram and s.in_flash)

    @property
    def bss_bytes(self) -> int:
        """RAM of zero-initialised variables, the workspace included, the stack and the slow memory left out."""
        others = (_STACK_SECTION, SLOW_SECTION)
        return sum(s.bytes for s in self.sections if s.in_ram and not s.in_flash and s.name not in others)

    @property
    def slow_bytes(self) -> int:
        """The slow memory, which is no part of the RAM above."""
        return sum(s.bytes for s in self.sections if s.name == SLOW_SECTION)

    @property
    def stack_reserve_bytes(self) -> int:
        """RAM reserved for the stack."""
        return sum(s.bytes for s in self.sections if s.name == _STACK_SECTION)

    @property
    def executor_bytes(self) -> int:
        """Flash of split_nn: code and constants of the executor and of the linked kernels."""
        return sum(s.bytes for s in self.sections if s.name == EXECUTOR_SECTION)

    @property
    def program_bytes(self) -> int:
        """Flash of the program, constants included."""
        return sum(s.bytes for s in self.symbols if s.name == PROGRAM_SYMBOL)

    @property
    def workspace_bytes(self) -> int:
        """RAM of the workspace."""
        return sum(s.bytes for s in self.symbols if s.name == WORKSPACE_SYMBOL)


def elf_sizes(path: Path) -> ElfSizes:
    """The sizes in the ELF file at `path`. Raises InputError when it is no ELF file, ToolError without pyelftools."""
    try:
        from elftools.common.exceptions import ELFError
        from elftools.elf.elffile import ELFFile
    except ImportError:
        raise ToolError("pyelftools is not installed; run: pip install pyelftools") from None
    try:
        with path.open("rb") as file:
            return _read(ELFFile(file))
    except FileNotFoundError:
        raise InputError(f"{path}: no such file") from None
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror or error}") from error
    except (ELFError, ValueError, KeyError, IndexError, AttributeError, UnicodeDecodeError, OverflowError) as error:
        raise InputError(f"{path}: is not an ELF file that can be read: {error or type(error).__name__}") from error


_ALLOCATED, _WRITABLE = 2, 1  # SHF_ALLOC, SHF_WRITE


def _read(elf: Any) -> ElfSizes:
    names = {}
    sections = []
    for index, section in enumerate(elf.iter_sections()):
        header = section.header
        if header["sh_flags"] & _ALLOCATED and header["sh_size"]:
            stored = header["sh_type"] != "SHT_NOBITS"
            writable = bool(header["sh_flags"] & _WRITABLE)
            names[index] = section.name
            sections.append(Section(section.name, header["sh_size"], stored, writable))
    symbols = []
    table = elf.get_section_by_name(".symtab")
    for symbol in table.iter_symbols() if table is not None else ():
        index = symbol.entry["st_shndx"]
        if symbol.entry["st_size"] and index in names:
            symbols.append(Symbol(symbol.name, names[index], symbol.entry["st_size"]))
    return ElfSizes(tuple(sections), tuple(sorted(symbols, key=lambda s: (-s.bytes, s.name))))
