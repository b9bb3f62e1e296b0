"""Less memory without a custom operator: another order of operators, shared bytes and exact addresses, in a plan alone."""
