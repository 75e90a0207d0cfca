"""From a record to a contact: addresses, fields, consent and deletion. Pure."""
