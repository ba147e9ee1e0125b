"""How often verdicts are wrong and how often they find a change, by simulation."""
