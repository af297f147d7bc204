//! Ed25519 keys as PEM files (RFC 8410), and what they sign: a DSSE envelope
//! (<https://github.com/secure-systems-lab/dsse>, version 1).
//!
//! The files are those that `openssl genpkey -algorithm ed25519` and `openssl pkey -pubout` write, so a key may come from
//! there, or from a secret store that knows them.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ring::rand::{SecureRandom, SystemRandom};
use ring::signature::{ED25519, Ed25519KeyPair, KeyPair, UnparsedPublicKey};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// What stands before the 32 bytes of a private key (PKCS #8 version 1, RFC 8410 section 7).
const PRIVATE_PREFIX: [u8; 16] =
    [0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20];
/// What stands before the 32 bytes of a public key (RFC 8410 section 4).
const PUBLIC_PREFIX: [u8; 12] = [0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00];
/// Signatures looked at in one envelope: one for each key while keys are being changed.
const SIGNATURES_MAX: usize = 16;

/// What is wrong with a key or a signature.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// The text is no such key.
    #[error("it is no Ed25519 {0} key in PEM form")]
    Malformed(&'static str),
    /// The system gives no random numbers.
    #[error("the system gives no random numbers")]
    NoRandomness,
}

/// Who may sign.
pub struct SecretKey(Ed25519KeyPair);

/// Whose signatures are believed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublicKey([u8; 32]);

impl std::fmt::Debug for SecretKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("SecretKey").field(&self.public().id()).finish()
    }
}

impl SecretKey {
    /// A new key, as the text of its file.
    ///
    /// # Errors
    ///
    /// When the system gives no random numbers.
    pub fn generate() -> Result<String, KeyError> {
        let mut seed = [0; 32];
        SystemRandom::new().fill(&mut seed).map_err(|_| KeyError::NoRandomness)?;
        Ok(pem("PRIVATE KEY", &[&PRIVATE_PREFIX[..], &seed].concat()))
    }

    /// Reads the file's text.
    ///
    /// # Errors
    ///
    /// When it is no such key.
    pub fn parse(text: &str) -> Result<Self, KeyError> {
        let malformed = KeyError::Malformed("private");
        let der = ders(text, "PRIVATE KEY").into_iter().next().ok_or_else(|| malformed.clone())?;
        Ed25519KeyPair::from_pkcs8_maybe_unchecked(&der).map(Self).map_err(|_| malformed)
    }

    /// The signature over a message.
    pub fn sign(&self, message: &[u8]) -> Vec<u8> {
        self.0.sign(message).as_ref().to_vec()
    }

    /// Its public half.
    pub fn public(&self) -> PublicKey {
        let mut bytes = [0; 32];
        bytes.copy_from_slice(self.0.public_key().as_ref());
        PublicKey(bytes)
    }
}

impl PublicKey {
    /// Whether it is this key's signature over a message.
    pub fn verify(&self, message: &[u8], signature: &[u8]) -> bool {
        UnparsedPublicKey::new(&ED25519, self.0).verify(message, signature).is_ok()
    }

    /// Its 32 bytes.
    pub fn bytes(&self) -> &[u8] {
        &self.0
    }

    /// Reads every public key in a file's text.
    ///
    /// # Errors
    ///
    /// When there is none, or one of another kind.
    pub fn parse_all(text: &str) -> Result<Vec<Self>, KeyError> {
        let keys: Option<Vec<Self>> = ders(text, "PUBLIC KEY")
            .into_iter()
            .map(|der| Some(Self(der.strip_prefix(&PUBLIC_PREFIX)?.try_into().ok()?)))
            .collect();
        keys.filter(|keys| !keys.is_empty()).ok_or(KeyError::Malformed("public"))
    }

    /// The text of its file.
    pub fn pem(&self) -> String {
        pem("PUBLIC KEY", &self.der())
    }

    /// What it is called: the beginning of its SHA-256.
    pub fn id(&self) -> String {
        Sha256::digest(self.der()).iter().take(8).map(|byte| format!("{byte:02x}")).collect()
    }

    fn der(&self) -> Vec<u8> {
        [&PUBLIC_PREFIX[..], &self.0].concat()
    }
}

fn pem(label: &str, der: &[u8]) -> String {
    format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", STANDARD.encode(der))
}

/// The contents of every part of a PEM text with this label.
fn ders(text: &str, label: &str) -> Vec<Vec<u8>> {
    let (begin, end) = (format!("-----BEGIN {label}-----"), format!("-----END {label}-----"));
    let parts = text.split(begin.as_str()).skip(1).filter_map(|part| part.split_once(end.as_str()));
    let base64 = parts.map(|(inside, _)| inside.split_ascii_whitespace().collect::<String>());
    base64.map(|inside| STANDARD.decode(inside).unwrap_or_default()).collect()
}

/// A signed document.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Envelope {
    payload_type: String,
    payload: String,
    signatures: Vec<Signature>,
}

/// One signature of an envelope.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Signature {
    #[serde(default)]
    keyid: String,
    sig: String,
}

impl Envelope {
    /// Signs a document with each of the keys.
    pub fn sign(payload_type: &str, payload: &[u8], keys: &[SecretKey]) -> Self {
        let signed = pre_authentication(payload_type, payload);
        let signature =
            |key: &SecretKey| Signature { keyid: key.public().id(), sig: STANDARD.encode(key.sign(&signed)) };
        Self {
            payload_type: payload_type.to_owned(),
            payload: STANDARD.encode(payload),
            signatures: keys.iter().map(signature).collect(),
        }
    }

    /// The document, and those of `trusted` that signed it; none when no one of them did, or it is of another type.
    ///
    /// The key ids of an envelope are hints that anybody can write, so each signature is tried with each key.
    pub fn open(&self, payload_type: &str, trusted: &[PublicKey]) -> Option<(Vec<u8>, Vec<PublicKey>)> {
        if self.payload_type != payload_type {
            return None;
        }
        let payload = STANDARD.decode(&self.payload).ok()?;
        let signed = pre_authentication(payload_type, &payload);
        let signatures: Vec<Vec<u8>> =
            self.signatures.iter().take(SIGNATURES_MAX).filter_map(|part| STANDARD.decode(&part.sig).ok()).collect();
        let signs = |key: &&PublicKey| signatures.iter().any(|signature| key.verify(&signed, signature));
        let signers: Vec<PublicKey> = trusted.iter().filter(signs).cloned().collect();
        (!signers.is_empty()).then_some((payload, signers))
    }

    /// Whether it bears any signature at all.
    pub fn is_signed(&self) -> bool {
        !self.signatures.is_empty()
    }
}

/// What is really signed: type and document, each with its length, so that no byte can move from one to the other.
fn pre_authentication(payload_type: &str, payload: &[u8]) -> Vec<u8> {
    let head = format!("DSSEv1 {} {payload_type} {} ", payload_type.len(), payload.len());
    [head.as_bytes(), payload].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key() -> SecretKey {
        SecretKey::parse(&SecretKey::generate().unwrap()).unwrap()
    }

    #[test]
    fn only_a_trusted_key_opens_what_it_signed() {
        let (ours, other) = (key(), key());
        let envelope = Envelope::sign("application/x", b"document", &[ours, other]);
        let (ours, other) = (key(), key().public());
        assert_eq!(envelope.open("application/x", &[ours.public(), other]), None);
        let envelope = Envelope::sign("application/x", b"document", std::slice::from_ref(&ours));
        let trusted = PublicKey::parse_all(&ours.public().pem()).unwrap();
        assert_eq!(envelope.open("application/x", &trusted), Some((b"document".to_vec(), trusted.clone())));
        assert_eq!(envelope.open("application/y", &trusted), None);
        let tampered = Envelope { payload: STANDARD.encode(b"Document"), ..envelope.clone() };
        assert_eq!(tampered.open("application/x", &trusted), None);
        let unsigned = Envelope { signatures: Vec::new(), ..envelope };
        assert_eq!((unsigned.open("application/x", &trusted), unsigned.is_signed()), (None, false));
    }

    #[test]
    fn the_pre_authentication_encoding_is_that_of_the_specification() {
        let encoded = pre_authentication("http://example.com/HelloWorld", b"hello world");
        assert_eq!(encoded, b"DSSEv1 29 http://example.com/HelloWorld 11 hello world");
    }

    #[test]
    fn what_is_no_key_is_refused() {
        for text in ["", "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n", "-----BEGIN PUBLIC KEY-----"] {
            assert_eq!(PublicKey::parse_all(text), Err(KeyError::Malformed("public")));
            assert!(SecretKey::parse(text).is_err());
        }
    }
}
