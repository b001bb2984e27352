"""The translations: one gettext catalogue a language; `update` keeps them in step with the source."""
