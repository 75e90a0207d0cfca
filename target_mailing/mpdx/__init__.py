"""MPDX as a source of contacts."""
