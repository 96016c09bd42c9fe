"""
The three commands of C{twist}, and what they need of the terminal and the system.

C{tap} is C{twist punch}, C{rendezvous_tap} is C{twist punch-rendezvous}, and
C{check_tap} is C{twist punch-check}.  This package may import every other, and none
imports it.
"""
