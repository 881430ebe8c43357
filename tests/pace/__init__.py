"""How often, and when, a carrier is asked by all processes together."""
