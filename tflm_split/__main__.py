"""`python -m tflm_split` is `tflm-split`."""

from tflm_split.cli import main

if __name__ == "__main__":
    main()
