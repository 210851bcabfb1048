"""What the operating system guards: files in folders of other users, and whose rights are used there."""
