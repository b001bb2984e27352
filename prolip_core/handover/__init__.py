"""What an engineer takes away from a finished run: a zip that answers without the app, made, checked and opened again."""
