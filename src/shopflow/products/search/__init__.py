"""Search of the catalogue (§3.2): finding, suggesting, synonyms, language, and words' meaning."""
