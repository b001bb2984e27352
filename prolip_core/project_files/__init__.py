"""A project as one file, and a project out of such a file: `writing.save`, `reading.open_project`.

docs/result-format.md says what is in it. Nothing of a file is believed before it is checked, and nothing is in the database
before everything is checked.
"""
