"""Changes to try around a bottleneck. Each file proposes one kind of change that trades instructions for memory."""
