"""Game day: a server with a hidden fault, load on it, and somebody who is to name the fault."""
