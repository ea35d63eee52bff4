//! Hashes as they stand in a column.

use base64::Engine as _;
use base64::alphabet;
use base64::engine::DecodePaddingMode;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig, STANDARD};
use sha2::{Digest as _, Sha256};

use common::digest::hex;

use super::SaltSource;
use super::derive::derive;
use super::scheme::{Digest, Form, Scheme, SchemeError, Variant};

/// Bytes of a salt that is written in base64.
const SALT_BYTES: usize = 16;
/// Characters of the salts that are written as they are: Django asks for 128 bits of them.
const DJANGO_SALT: usize = 22;
const WERKZEUG_SALT: usize = 16;
/// Bytes of the hashes of argon2 and of scrypt in the PHC format.
const PHC_BYTES: usize = 32;
/// Of scrypt in the forms of Django and Werkzeug.
const SCRYPT_BYTES: usize = 64;
/// Longest salt and hash that are compared; a column may hold anything.
const MAX_PART: usize = 1024;

/// Base64 as the PHC format has it: without padding, though some write it with.
const PHC: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new()
        .with_encode_padding(false)
        .with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// A hash that was read. It tells nothing of the password but to [`Stored::fits`].
pub struct Stored {
    scheme: Scheme,
    parts: Parts,
}

enum Parts {
    /// What the library of bcrypt reads.
    Bcrypt(String),
    Derived {
        salt: Vec<u8>,
        hash: Vec<u8>,
    },
}

impl Scheme {
    /// Hashes a password, with a salt from that source.
    ///
    /// # Errors
    /// When the library refuses what [`Scheme`] lets through.
    pub fn hash(self, password: &str, source: &SaltSource) -> Result<String, SchemeError> {
        let bytes = &source[..SALT_BYTES];
        let plain = password.as_bytes();
        let derived = |salt: &[u8], length: usize| {
            let mut hash = vec![0; length];
            derive(self, plain, salt, &mut hash).map(|()| hash)
        };
        Ok(match self {
            Self::Bcrypt { cost, form } => {
                let salt: [u8; SALT_BYTES] = std::array::from_fn(|index| source[index]);
                let sent = bcrypt_input(password, form);
                let hash = bcrypt::hash_with_salt(sent.as_bytes(), cost, salt)
                    .map_err(|error| SchemeError::new(format!("bcrypt: {error}")))?
                    .format_for_version(bcrypt::Version::TwoB);
                match form {
                    Form::Django => format!("bcrypt_sha256${hash}"),
                    Form::Phc | Form::Werkzeug => hash,
                }
            }
            Self::Argon2 { variant, m, t, p, form } => {
                let hash = derived(bytes, PHC_BYTES)?;
                let (salt, hash) = (PHC.encode(bytes), PHC.encode(hash));
                let phc = format!("$argon2{}$v=19$m={m},t={t},p={p}${salt}${hash}", variant.name());
                match form {
                    Form::Django => format!("argon2{phc}"),
                    Form::Phc | Form::Werkzeug => phc,
                }
            }
            Self::Scrypt { log_n, r, p, form: Form::Phc } => {
                let hash = derived(bytes, PHC_BYTES)?;
                let (salt, hash) = (PHC.encode(bytes), PHC.encode(hash));
                format!("$scrypt$ln={log_n},r={r},p={p}${salt}${hash}")
            }
            Self::Scrypt { log_n, r, p, form: Form::Django } => {
                let salt = letters(source, DJANGO_SALT);
                let hash = STANDARD.encode(derived(salt.as_bytes(), SCRYPT_BYTES)?);
                format!("scrypt${}${salt}${r}${p}${hash}", 1_u64 << log_n)
            }
            Self::Scrypt { log_n, r, p, form: Form::Werkzeug } => {
                let salt = letters(source, WERKZEUG_SALT);
                let hash = hex(&derived(salt.as_bytes(), SCRYPT_BYTES)?);
                format!("scrypt:{}:{r}:{p}${salt}${hash}", 1_u64 << log_n)
            }
            Self::Pbkdf2 { digest, iterations, form: Form::Werkzeug } => {
                let salt = letters(source, WERKZEUG_SALT);
                let hash = hex(&derived(salt.as_bytes(), digest.length())?);
                format!("pbkdf2:{}:{iterations}${salt}${hash}", digest.name())
            }
            Self::Pbkdf2 { digest, iterations, form: Form::Django | Form::Phc } => {
                let salt = letters(source, DJANGO_SALT);
                let hash = STANDARD.encode(derived(salt.as_bytes(), digest.length())?);
                format!("pbkdf2_{}${iterations}${salt}${hash}", digest.name())
            }
        })
    }
}

/// Django hashes what it gives to bcrypt, so that no password is too long for it.
fn bcrypt_input(password: &str, form: Form) -> String {
    match form {
        Form::Django => hex(&Sha256::digest(password.as_bytes())),
        Form::Phc | Form::Werkzeug => password.to_owned(),
    }
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    let digits: Option<Vec<u8>> =
        text.chars().map(|digit| digit.to_digit(16).and_then(|d| u8::try_from(d).ok())).collect();
    let digits = digits.filter(|digits| digits.len().is_multiple_of(2))?;
    Some(digits.chunks(2).map(|pair| pair[0] << 4 | pair[1]).collect())
}

/// Letters and digits alone, which is what both write as a salt.
fn letters(source: &SaltSource, length: usize) -> String {
    const ALL: &[u8; 62] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
    source.iter().take(length).map(|byte| char::from(ALL[usize::from(*byte) % ALL.len()])).collect()
}

impl Stored {
    /// None for what no scheme of ours has written.
    pub fn parse(text: &str) -> Option<Self> {
        if text.len() > 4 * MAX_PART {
            return None;
        }
        let stored = if let Some(rest) = text.strip_prefix("bcrypt_sha256$") {
            Self::bcrypt(rest, Form::Django)
        } else if let Some(rest) = text.strip_prefix("argon2$") {
            Self::argon2(&format!("${rest}"), Form::Django)
        } else if text.starts_with("$2") {
            Self::bcrypt(text, Form::Phc)
        } else if text.starts_with("$argon2") {
            Self::argon2(text, Form::Phc)
        } else if let Some(rest) = text.strip_prefix("$scrypt$") {
            Self::scrypt_phc(rest)
        } else if let Some(rest) = text.strip_prefix("scrypt$") {
            Self::scrypt_django(rest)
        } else if let Some(rest) = text.strip_prefix("scrypt:") {
            Self::scrypt_werkzeug(rest)
        } else if let Some(rest) = text.strip_prefix("pbkdf2_") {
            Self::pbkdf2_django(rest)
        } else if let Some(rest) = text.strip_prefix("pbkdf2:") {
            Self::pbkdf2_werkzeug(rest)
        } else {
            None
        };
        stored.filter(|stored| match &stored.parts {
            Parts::Bcrypt(_) => true,
            Parts::Derived { salt, hash } => {
                salt.len() <= MAX_PART && (4..=MAX_PART).contains(&hash.len())
            }
        })
    }

    pub fn scheme(&self) -> Scheme {
        self.scheme
    }

    /// Whether it is the hash of this password. Takes as long as making it took.
    pub fn fits(&self, password: &str) -> bool {
        match &self.parts {
            Parts::Bcrypt(hash) => {
                bcrypt::verify(bcrypt_input(password, self.scheme.form()), hash).unwrap_or(false)
            }
            Parts::Derived { salt, hash } => {
                let mut own = vec![0; hash.len()];
                // Nobody listens to how long the comparison takes.
                derive(self.scheme, password.as_bytes(), salt, &mut own).is_ok() && own == *hash
            }
        }
    }

    /// `$2b$12$` and 53 characters; PHP writes `$2y$`, old ones wrote `$2a$`.
    fn bcrypt(text: &str, form: Form) -> Option<Self> {
        let mut parts = text.strip_prefix('$')?.split('$');
        let (version, cost, rest) = (parts.next()?, parts.next()?, parts.next()?);
        let is_one = ["2a", "2b", "2x", "2y"].contains(&version)
            && rest.len() == 53
            && parts.next().is_none();
        let scheme = Scheme::bcrypt(cost.parse().ok()?, form).ok().filter(|_| is_one)?;
        Some(Self { scheme, parts: Parts::Bcrypt(text.to_owned()) })
    }

    fn argon2(text: &str, form: Form) -> Option<Self> {
        let mut parts = text.strip_prefix("$argon2")?.split('$');
        let variant = Variant::named(parts.next()?).ok()?;
        // Version 1.0 leaves it out, and is another function.
        if parts.next()? != "v=19" {
            return None;
        }
        let parameters = parts.next()?;
        let of = |name| parameter(parameters, name);
        let scheme = Scheme::argon2(variant, of("m")?, of("t")?, of("p")?, form).ok()?;
        let (salt, hash) = (phc(parts.next()?)?, phc(parts.next()?)?);
        (parts.next().is_none()).then_some(Self { scheme, parts: Parts::Derived { salt, hash } })
    }

    fn scrypt_phc(text: &str) -> Option<Self> {
        let mut parts = text.split('$');
        let parameters = parts.next()?;
        let of = |name| parameter(parameters, name);
        let n = 1_u64.checked_shl(of("ln")?)?;
        let scheme = Scheme::scrypt(n, of("r")?, of("p")?, Form::Phc).ok()?;
        let (salt, hash) = (phc(parts.next()?)?, phc(parts.next()?)?);
        (parts.next().is_none()).then_some(Self { scheme, parts: Parts::Derived { salt, hash } })
    }

    fn scrypt_django(text: &str) -> Option<Self> {
        let parts: Vec<&str> = text.split('$').collect();
        let [n, salt, r, p, hash] = parts[..] else { return None };
        let scheme =
            Scheme::scrypt(n.parse().ok()?, r.parse().ok()?, p.parse().ok()?, Form::Django).ok()?;
        let hash = STANDARD.decode(hash).ok()?;
        Some(Self { scheme, parts: Parts::Derived { salt: salt.into(), hash } })
    }

    fn scrypt_werkzeug(text: &str) -> Option<Self> {
        let parts: Vec<&str> = text.split('$').collect();
        let [parameters, salt, hash] = parts[..] else { return None };
        let parameters: Vec<&str> = parameters.split(':').collect();
        let [n, r, p] = parameters[..] else { return None };
        let scheme =
            Scheme::scrypt(n.parse().ok()?, r.parse().ok()?, p.parse().ok()?, Form::Werkzeug)
                .ok()?;
        Some(Self { scheme, parts: Parts::Derived { salt: salt.into(), hash: unhex(hash)? } })
    }

    fn pbkdf2_django(text: &str) -> Option<Self> {
        let parts: Vec<&str> = text.split('$').collect();
        let [digest, iterations, salt, hash] = parts[..] else { return None };
        let digest = Digest::named(digest).ok()?;
        let scheme = Scheme::pbkdf2(digest, iterations.parse().ok()?, Form::Django).ok()?;
        let hash = STANDARD.decode(hash).ok()?;
        Some(Self { scheme, parts: Parts::Derived { salt: salt.into(), hash } })
    }

    fn pbkdf2_werkzeug(text: &str) -> Option<Self> {
        let parts: Vec<&str> = text.split('$').collect();
        let [parameters, salt, hash] = parts[..] else { return None };
        let (digest, iterations) = parameters.split_once(':')?;
        let digest = Digest::named(digest).ok()?;
        let scheme = Scheme::pbkdf2(digest, iterations.parse().ok()?, Form::Werkzeug).ok()?;
        Some(Self { scheme, parts: Parts::Derived { salt: salt.into(), hash: unhex(hash)? } })
    }
}

fn phc(text: &str) -> Option<Vec<u8>> {
    PHC.decode(text).ok()
}

/// Of `m=65536,t=3,p=4`.
fn parameter(parameters: &str, name: &str) -> Option<u32> {
    parameters.split(',').find_map(|one| one.strip_prefix(name)?.strip_prefix('=')?.parse().ok())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn cheap() -> Vec<Scheme> {
        let forms = [Form::Phc, Form::Django, Form::Werkzeug];
        let mut schemes = Vec::new();
        for form in forms {
            schemes.extend(Scheme::bcrypt(4, form));
            for variant in [Variant::D, Variant::I, Variant::Id] {
                schemes.extend(Scheme::argon2(variant, 16, 1, 2, form));
            }
            schemes.extend(Scheme::scrypt(16, 1, 1, form));
            for digest in [Digest::Sha1, Digest::Sha256, Digest::Sha512] {
                schemes.extend(Scheme::pbkdf2(digest, 2, form));
            }
        }
        schemes
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(20))]
        #[test]
        fn what_is_hashed_is_recognised_and_fits_its_password_alone(
            // Postgres stores no NUL, and bcrypt knows none.
            password in r"[^\x00]{0,40}", other in r"[^\x00]{0,40}", source: [u8; 32]
        ) {
            prop_assume!(password != other);
            for scheme in cheap() {
                let hash = scheme.hash(&password, &source).unwrap();
                prop_assert_eq!(&hash, &scheme.hash(&password, &source).unwrap());
                let stored = Stored::parse(&hash).unwrap_or_else(|| panic!("{hash}"));
                prop_assert_eq!(stored.scheme(), scheme);
                prop_assert!(stored.fits(&password), "{}", hash);
                prop_assert!(!stored.fits(&other), "{}", hash);
            }
        }

        #[test]
        fn whatever_a_column_holds_is_read_without_harm(text in ".*", cut: prop::sample::Index) {
            let _ = Stored::parse(&text);
            for scheme in cheap().into_iter().filter(|s| !matches!(s, Scheme::Bcrypt { .. })) {
                let hash = scheme.hash("x", &[7; 32]).unwrap();
                let end = cut.index(hash.len());
                let _ = Stored::parse(&hash[..end]).map(|stored| stored.fits("x"));
                let _ = Stored::parse(&format!("{}{text}", &hash[..end]));
            }
        }
    }

    #[test]
    fn every_kind_is_its_own_expression() {
        for (scheme, expected) in [
            (Scheme::bcrypt(12, Form::Phc), "bcrypt(p, 12)"),
            (Scheme::bcrypt(12, Form::Django), "bcrypt(p, 12, form='django')"),
            (Scheme::argon2(Variant::Id, 64, 3, 4, Form::Phc), "argon2(p, m=64, t=3, p=4)"),
            (
                Scheme::argon2(Variant::I, 64, 3, 4, Form::Django),
                "argon2(p, m=64, t=3, p=4, variant='i', form='django')",
            ),
            (
                Scheme::scrypt(16, 8, 1, Form::Werkzeug),
                "scrypt(p, n=16, r=8, p=1, form='werkzeug')",
            ),
            (Scheme::pbkdf2(Digest::Sha256, 9, Form::Django), "pbkdf2(p, 9, form='django')"),
        ] {
            assert_eq!(scheme.unwrap().expression("p"), expected);
        }
    }
}
