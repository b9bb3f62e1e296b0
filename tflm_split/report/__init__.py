"""Results: the JSON record, and the texts for people, which are all made from that record."""
