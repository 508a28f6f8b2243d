"""Compares gpumem with a real GPU's other witnesses, and writes what it found down as one document."""
