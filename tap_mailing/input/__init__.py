"""The files that a run is given: catalog and STATE."""
