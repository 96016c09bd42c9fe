"""
The commands that C{twist} knows, and what they need of the terminal and the system.

C{tap} is C{twist punch}, C{rendezvous_tap} C{twist punch-rendezvous}, C{check_tap}
C{twist punch-check}.  The top of the house: imports everything, and nothing imports it.
"""
