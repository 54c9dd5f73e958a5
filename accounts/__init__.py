"""Who may do what: people, teams, roles, tokens."""
