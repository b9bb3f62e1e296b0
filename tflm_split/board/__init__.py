"""Emulated boards: build the firmware of a split model, run it, count and measure. Needs a cross compiler and QEMU."""
