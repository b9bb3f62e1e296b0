"""Emulated boards: firmware of a split model built, run, counted and measured. Needs a cross compiler and QEMU."""
