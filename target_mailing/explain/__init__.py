"""What is known of one person, and what the provider says of them; nothing is changed."""
