"""Which pieces can each operator be cut into, and what does each piece read?"""
