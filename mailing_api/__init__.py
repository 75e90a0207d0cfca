"""How to talk to mailing providers; no Singer in here."""
