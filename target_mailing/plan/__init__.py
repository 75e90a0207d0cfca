"""What a run would do, found without writing anything."""
