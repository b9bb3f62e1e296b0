"""What the commands share: their options, the progress bar, and printing."""
