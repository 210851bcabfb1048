"""The state database: SQL, migrations, backup and restore."""
