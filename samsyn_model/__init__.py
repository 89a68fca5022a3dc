"""The tables and who may do what with them; knows no HTTP."""
