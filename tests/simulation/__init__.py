"""A simulated year: consumers agree over HTTP, days pass on movable clocks, and a judge reads all three books."""
