"""A token in QGIS's own store of credentials."""

from qgis.core import QgsApplication, QgsAuthMethodConfig


def store_credentials(token, method="basic"):
    """Store the token as a person would, and return the id of the stored configuration."""
    manager = QgsApplication.authManager()
    manager.setMasterPassword("master", True)
    if method == "basic":
        config = QgsAuthMethodConfig("Basic")
        config.setConfig("username", "token")
        config.setConfig("password", token)
    else:
        config = QgsAuthMethodConfig("APIHeader")
        config.setConfig("Authorization", "Bearer " + token)
    config.setName("SamSyn")
    stored, config = manager.storeAuthenticationConfig(config)
    if not stored:
        raise RuntimeError("QGIS did not store the credentials")
    return config.id()
