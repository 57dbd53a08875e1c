"""Schedules and samplers as step tables, forward processes, flows; nothing here knows a backbone."""
