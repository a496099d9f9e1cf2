"""Assess: where a project stands on three published scales, from evidence."""
