//! From password and salt to the bytes of a hash.

use argon2::{Algorithm, Argon2, Params, Version};
use sha1::Sha1;
use sha2::{Sha256, Sha512};

use super::scheme::{Digest, Scheme, SchemeError, Variant};

/// Of every kind but bcrypt, whose hash is a text of its own.
///
/// # Errors
/// When the library finds something that [`Scheme`] does not.
pub(super) fn derive(
    scheme: Scheme,
    password: &[u8],
    salt: &[u8],
    hash: &mut [u8],
) -> Result<(), SchemeError> {
    match scheme {
        Scheme::Bcrypt { .. } => Err(SchemeError::new("bcrypt derives no bytes")),
        Scheme::Argon2 { variant, m, t, p, .. } => {
            let algorithm = match variant {
                Variant::D => Algorithm::Argon2d,
                Variant::I => Algorithm::Argon2i,
                Variant::Id => Algorithm::Argon2id,
            };
            Params::new(m, t, p, Some(hash.len()))
                .and_then(|params| {
                    Argon2::new(algorithm, Version::V0x13, params)
                        .hash_password_into(password, salt, hash)
                })
                .map_err(|error| SchemeError::new(format!("argon2: {error}")))
        }
        Scheme::Scrypt { log_n, r, p, .. } => {
            let params = scrypt::Params::new(log_n, r, p)
                .map_err(|error| SchemeError::new(format!("scrypt: {error}")))?;
            scrypt::scrypt(password, salt, &params, hash)
                .map_err(|error| SchemeError::new(format!("scrypt: {error}")))
        }
        Scheme::Pbkdf2 { digest, iterations, .. } => {
            match digest {
                Digest::Sha1 => pbkdf2::pbkdf2_hmac::<Sha1>(password, salt, iterations, hash),
                Digest::Sha256 => pbkdf2::pbkdf2_hmac::<Sha256>(password, salt, iterations, hash),
                Digest::Sha512 => pbkdf2::pbkdf2_hmac::<Sha512>(password, salt, iterations, hash),
            }
            Ok(())
        }
    }
}
