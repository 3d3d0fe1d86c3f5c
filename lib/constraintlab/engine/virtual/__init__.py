"""The virtual clock: the real policies and KV stores, driven by what a step costs."""
