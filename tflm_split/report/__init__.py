"""What came of it: the JSON record, and what people read, all drawn from that record."""
