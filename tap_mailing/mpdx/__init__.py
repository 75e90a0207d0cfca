"""MPDX's streams."""
