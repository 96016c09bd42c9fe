"""
Yamux: many streams on one ordered stream of bytes, without I/O.

The specification is U{https://github.com/hashicorp/yamux/blob/master/spec.md};
where it is silent, the modules here say what they hold to.  L{session} is the
way in; what it tells is in L{events <punch.yamux.events>}.
"""
