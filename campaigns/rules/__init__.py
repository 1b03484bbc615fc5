"""What may be said to a consumer, when and how: values in, values out; no clock, no database, no framework."""
