"""When money may move and what must be said first: values in, values out, no clock, no framework."""
