"""Changes worth trying around a bottleneck: one file for each way to spend instructions, or nothing, on memory."""
