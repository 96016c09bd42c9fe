"""
Benches: figures, printed; run by hand.
"""
