"""At which address does every buffer lie? Knows buffers and time, nothing of networks."""
