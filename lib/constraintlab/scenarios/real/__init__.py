"""Scenarios on a real stack: engine, front end, link and readers are processes as in production.

The device alone is simulated: a step's kernels take the time that a roofline gives them, so that
its arithmetic and its memory can be cut one at a time, on a machine that has no GPU. Everything
else happens: blocks are booked, text is made, bytes cross a link.
"""
