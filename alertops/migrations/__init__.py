"""Alembic migrations. `flask --app api.wsgi db upgrade` or `alembic` with this folder both run them."""
