"""The revisions of the database's schema; `upgrade` brings any of them to the last."""
