"""What happens on the machine while something runs: sources, the sampler, recordings."""
