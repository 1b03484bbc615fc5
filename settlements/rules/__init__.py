"""What may be offered and promised: values in, values out, no clock, no database, no framework."""
