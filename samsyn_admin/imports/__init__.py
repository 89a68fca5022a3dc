"""Files and bulk requests imported into layers."""
