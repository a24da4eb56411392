"""Six people who sign, one in each role."""

PEOPLE = {
    "model_owner": "A. Lindqvist",
    "lead_quant": "L. Okafor",
    "risk_manager": "R. Moreau",
    "head_of_trading": "T. Haddad",
    "cto": "C. Yamada",
    "compliance": "S. Brandt",
}
