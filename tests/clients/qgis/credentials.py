"""What QGIS keeps in its own store: a token, and an authority of certificates that it trusts."""

from qgis.core import QgsApplication, QgsAuthCertUtils, QgsAuthMethodConfig
from qgis.PyQt.QtNetwork import QSslCertificate


def store_credentials(token, method="basic"):
    """Store the token as a person would, and return the id of the stored configuration."""
    manager = _manager()
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


def trust_authority(pem):
    """Trust an authority, as a person does who adds it in the settings."""
    manager = _manager()
    (certificate,) = QSslCertificate.fromData(pem.encode())
    if not manager.storeCertAuthority(certificate):
        raise RuntimeError("QGIS did not store the authority")
    manager.storeCertTrustPolicy(certificate, QgsAuthCertUtils.Trusted)
    manager.rebuildCaCertsCache()
    manager.rebuildTrustedCaCertsCache()


def _manager():
    manager = QgsApplication.authManager()
    manager.setMasterPassword("master", True)
    return manager
