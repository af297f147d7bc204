//! What is trusted.

use std::io;
use std::path::Path;
use std::sync::Arc;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};

use super::error::RegistryError;

/// TLS 1.2 and 1.3 with the system's certificate authorities (or those that `SSL_CERT_FILE` and `SSL_CERT_DIR` name) and
/// the ones in `ca_file`.
///
/// The cryptography provider is named here, so that no process-wide default can change what a scan accepts.
pub(super) fn config(ca_file: Option<&Path>) -> Result<ClientConfig, RegistryError> {
    let mut roots = RootCertStore::empty();
    // Some systems have none (a minimal container), or a few that cannot be parsed. What is missing shows when a
    // certificate is refused, and plain HTTP to this machine needs none.
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if let Some(path) = ca_file {
        let failed = |source| RegistryError::CaFile { path: path.into(), source };
        let invalid = |detail: String| failed(io::Error::new(io::ErrorKind::InvalidData, detail));
        let pem = std::fs::read(path).map_err(failed)?;
        let mut count = 0;
        for certificate in CertificateDer::pem_slice_iter(&pem) {
            let certificate = certificate.map_err(|error| invalid(error.to_string()))?;
            roots.add(certificate).map_err(|error| invalid(error.to_string()))?;
            count += 1;
        }
        if count == 0 {
            return Err(invalid("it has no certificate in PEM format".into()));
        }
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let versions = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let builder = versions.map_err(|error| RegistryError::Tls { detail: error.to_string() })?;
    Ok(builder.with_root_certificates(roots).with_no_client_auth())
}
