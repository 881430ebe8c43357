"""Measurements of the product on the machine at hand; `README.md` beside each says what is measured and how."""
