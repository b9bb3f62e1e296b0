"""From a schedule to bytes: addresses, programs, and the file they go into."""
