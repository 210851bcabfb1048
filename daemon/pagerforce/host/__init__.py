"""Files in folders of other users, and the rights that are used there."""
