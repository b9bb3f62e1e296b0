"""What the commands share: options made from `Options`."""
