"""
What can run on a link: the base class for plugins, and the protocols that come with
punch.

Imports nothing when it is imported, since C{twist} imports our plugin file for whatever
it runs.  Its modules import the vocabulary and C{util}.
"""
