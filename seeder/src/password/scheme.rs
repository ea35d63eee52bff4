//! How a password is hashed, and how the hash is written.

use std::fmt;

/// All that decides a hash but password and salt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Scheme {
    Bcrypt {
        cost: u32,
        form: Form,
    },
    Argon2 {
        variant: Variant,
        /// Memory in KiB.
        m: u32,
        /// Passes over it.
        t: u32,
        /// Lanes.
        p: u32,
        form: Form,
    },
    Scrypt {
        /// Binary logarithm of the cost.
        log_n: u8,
        r: u32,
        p: u32,
        form: Form,
    },
    Pbkdf2 {
        digest: Digest,
        iterations: u32,
        form: Form,
    },
}

/// Who writes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Form {
    /// The kind's own: the PHC string format, or that of bcrypt.
    Phc,
    Django,
    Werkzeug,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Variant {
    D,
    I,
    Id,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Digest {
    Sha1,
    Sha256,
    Sha512,
}

/// What is wrong with a scheme, and what would be right.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct SchemeError(String);

impl SchemeError {
    pub(super) fn new(message: impl Into<String>) -> Self {
        Self(message.into())
    }
}

/// The most memory that one hash may take, in bytes: who stores a hash decides what comparing
/// with it costs, and a plan or a database may be anybody's.
const MAX_BYTES: u64 = 2 << 30;
/// Passes, lanes and blocks beyond these are a mistake, or meant to keep somebody busy.
const MAX_PASSES: u32 = 1000;
const MAX_LANES: u32 = 255;
const MAX_ITERATIONS: u32 = 100_000_000;

impl Scheme {
    /// bcrypt's plain form and Django's.
    ///
    /// # Errors
    /// With what the cost may be.
    pub fn bcrypt(cost: u32, form: Form) -> Result<Self, SchemeError> {
        if !(4..=31).contains(&cost) {
            return Err(SchemeError::new(format!("bcrypt(…, {cost}): the cost is from 4 to 31")));
        }
        Self::Bcrypt { cost, form }.written_by(&[Form::Phc, Form::Django])
    }

    /// # Errors
    /// With what the parameters may be.
    pub fn argon2(
        variant: Variant,
        m: u32,
        t: u32,
        p: u32,
        form: Form,
    ) -> Result<Self, SchemeError> {
        let most = u32::try_from(MAX_BYTES >> 10).unwrap_or(u32::MAX);
        if !(1..=MAX_LANES).contains(&p) {
            return Err(SchemeError::new(format!("argon2: p={p} is not from 1 to {MAX_LANES}")));
        }
        if !(8 * p..=most).contains(&m) {
            let least = 8 * p;
            return Err(SchemeError::new(format!(
                "argon2: m={m} is not from {least} (8 a lane) to {most} KiB"
            )));
        }
        if !(1..=MAX_PASSES).contains(&t) {
            return Err(SchemeError::new(format!("argon2: t={t} is not from 1 to {MAX_PASSES}")));
        }
        Self::Argon2 { variant, m, t, p, form }.written_by(&[Form::Phc, Form::Django])
    }

    /// # Errors
    /// With what the parameters may be.
    pub fn scrypt(n: u64, r: u32, p: u32, form: Form) -> Result<Self, SchemeError> {
        if n < 2 || !n.is_power_of_two() {
            return Err(SchemeError::new(format!("scrypt: n={n} is not a power of two above 1")));
        }
        if !(1..=MAX_LANES).contains(&r) || !(1..=MAX_LANES).contains(&p) {
            return Err(SchemeError::new(format!(
                "scrypt: r={r} and p={p} are not from 1 to {MAX_LANES}"
            )));
        }
        if n.checked_mul(128 * u64::from(r)).is_none_or(|bytes| bytes > MAX_BYTES) {
            let most = MAX_BYTES >> 20;
            return Err(SchemeError::new(format!(
                "scrypt: n={n} and r={r} take more than {most} MiB (128 bytes times n times r)"
            )));
        }
        // Of the logarithm there are at most 24 by the memory.
        let log_n = u8::try_from(n.trailing_zeros()).unwrap_or(u8::MAX);
        Self::Scrypt { log_n, r, p, form }.written_by(&[Form::Phc, Form::Django, Form::Werkzeug])
    }

    /// # Errors
    /// With what the parameters may be.
    pub fn pbkdf2(digest: Digest, iterations: u32, form: Form) -> Result<Self, SchemeError> {
        if !(1..=MAX_ITERATIONS).contains(&iterations) {
            return Err(SchemeError::new(format!(
                "pbkdf2: {iterations} iterations are not from 1 to {MAX_ITERATIONS}"
            )));
        }
        if form == Form::Django && digest == Digest::Sha512 {
            return Err(SchemeError::new("pbkdf2: Django's form has sha256 and sha1"));
        }
        Self::Pbkdf2 { digest, iterations, form }.written_by(&[Form::Django, Form::Werkzeug])
    }

    fn written_by(self, forms: &[Form]) -> Result<Self, SchemeError> {
        if forms.contains(&self.form()) {
            return Ok(self);
        }
        let known: Vec<String> = forms.iter().map(|form| format!("'{}'", form.name())).collect();
        let (kind, form) = (self.function(), self.form().name());
        Err(SchemeError::new(format!("{kind}: there is no form '{form}'; {}", known.join(", "))))
    }

    pub fn form(&self) -> Form {
        match self {
            Self::Bcrypt { form, .. }
            | Self::Argon2 { form, .. }
            | Self::Scrypt { form, .. }
            | Self::Pbkdf2 { form, .. } => *form,
        }
    }

    /// The function of plans that makes such hashes.
    pub fn function(&self) -> &'static str {
        match self {
            Self::Bcrypt { .. } => "bcrypt",
            Self::Argon2 { .. } => "argon2",
            Self::Scrypt { .. } => "scrypt",
            Self::Pbkdf2 { .. } => "pbkdf2",
        }
    }

    /// What a plan writes to have such hashes of a password, which is an expression itself.
    pub fn expression(&self, password: &str) -> String {
        let form = match self.form() {
            Form::Phc => String::new(),
            form => format!(", form='{}'", form.name()),
        };
        match self {
            Self::Bcrypt { cost, .. } => format!("bcrypt({password}, {cost}{form})"),
            Self::Argon2 { variant, m, t, p, .. } => {
                let variant = match variant {
                    Variant::Id => String::new(),
                    other => format!(", variant='{}'", other.name()),
                };
                format!("argon2({password}, m={m}, t={t}, p={p}{variant}{form})")
            }
            Self::Scrypt { log_n, r, p, .. } => {
                format!("scrypt({password}, n={}, r={r}, p={p}{form})", 1_u64 << log_n)
            }
            Self::Pbkdf2 { digest, iterations, form } => {
                let digest = match digest {
                    Digest::Sha256 => String::new(),
                    other => format!(", digest='{}'", other.name()),
                };
                format!("pbkdf2({password}, {iterations}{digest}, form='{}')", form.name())
            }
        }
    }

    /// What one hash takes while it is made, in bytes.
    pub fn memory_bytes(&self) -> u64 {
        match self {
            Self::Bcrypt { .. } | Self::Pbkdf2 { .. } => 8 << 10,
            Self::Argon2 { m, .. } => u64::from(*m) << 10,
            Self::Scrypt { log_n, r, .. } => (128 * u64::from(*r)) << log_n,
        }
    }
}

/// For people, such as `argon2id, m=65536, t=3, p=4, as Django writes it`.
impl fmt::Display for Scheme {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bcrypt { cost, .. } => write!(f, "bcrypt, cost {cost}")?,
            Self::Argon2 { variant, m, t, p, .. } => {
                write!(f, "argon2{}, m={m}, t={t}, p={p}", variant.name())?;
            }
            Self::Scrypt { log_n, r, p, .. } => {
                write!(f, "scrypt, n={}, r={r}, p={p}", 1_u64 << log_n)?;
            }
            Self::Pbkdf2 { digest, iterations, .. } => {
                write!(f, "pbkdf2, {}, {iterations} iterations", digest.name())?;
            }
        }
        match self.form() {
            Form::Phc => Ok(()),
            Form::Django => f.write_str(", as Django writes it"),
            Form::Werkzeug => f.write_str(", as Werkzeug writes it"),
        }
    }
}

impl Form {
    pub fn name(self) -> &'static str {
        match self {
            Self::Phc => "phc",
            Self::Django => "django",
            Self::Werkzeug => "werkzeug",
        }
    }

    /// # Errors
    /// With the names that there are.
    pub fn named(name: &str) -> Result<Self, SchemeError> {
        named(name, &[Self::Phc, Self::Django, Self::Werkzeug], Self::name, "form")
    }
}

impl Variant {
    pub fn name(self) -> &'static str {
        match self {
            Self::D => "d",
            Self::I => "i",
            Self::Id => "id",
        }
    }

    /// # Errors
    /// With the names that there are.
    pub fn named(name: &str) -> Result<Self, SchemeError> {
        named(name, &[Self::Id, Self::I, Self::D], Self::name, "variant")
    }
}

impl Digest {
    pub fn name(self) -> &'static str {
        match self {
            Self::Sha1 => "sha1",
            Self::Sha256 => "sha256",
            Self::Sha512 => "sha512",
        }
    }

    /// Of its value, in bytes.
    pub(super) fn length(self) -> usize {
        match self {
            Self::Sha1 => 20,
            Self::Sha256 => 32,
            Self::Sha512 => 64,
        }
    }

    /// # Errors
    /// With the names that there are.
    pub fn named(name: &str) -> Result<Self, SchemeError> {
        named(name, &[Self::Sha256, Self::Sha512, Self::Sha1], Self::name, "digest")
    }
}

fn named<T: Copy>(
    name: &str,
    all: &[T],
    name_of: fn(T) -> &'static str,
    what: &str,
) -> Result<T, SchemeError> {
    all.iter().copied().find(|one| name_of(*one) == name).ok_or_else(|| {
        let known: Vec<String> = all.iter().map(|one| format!("'{}'", name_of(*one))).collect();
        SchemeError::new(format!("there is no {what} {name:?}; {}", known.join(", ")))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_would_take_too_much_or_is_none_is_refused_with_what_would_be_right() {
        for (scheme, expected) in [
            (Scheme::bcrypt(3, Form::Phc), "from 4 to 31"),
            (Scheme::bcrypt(4, Form::Werkzeug), "no form 'werkzeug'; 'phc', 'django'"),
            (Scheme::argon2(Variant::Id, 8, 1, 2, Form::Phc), "m=8 is not from 16 (8 a lane)"),
            (Scheme::argon2(Variant::Id, u32::MAX, 1, 1, Form::Phc), "to 2097152 KiB"),
            (Scheme::argon2(Variant::Id, 8, 0, 1, Form::Phc), "t=0 is not from 1"),
            (Scheme::argon2(Variant::Id, 8, 1, 0, Form::Phc), "p=0 is not from 1"),
            (Scheme::scrypt(1000, 8, 1, Form::Phc), "n=1000 is not a power of two"),
            (Scheme::scrypt(1 << 40, 8, 1, Form::Phc), "more than 2048 MiB"),
            (Scheme::scrypt(1 << 63, 255, 1, Form::Phc), "more than 2048 MiB"),
            (Scheme::scrypt(2, 0, 1, Form::Phc), "r=0 and p=1 are not from 1"),
            (Scheme::pbkdf2(Digest::Sha256, 0, Form::Django), "0 iterations"),
            (Scheme::pbkdf2(Digest::Sha512, 1, Form::Django), "Django's form has sha256"),
            (Scheme::pbkdf2(Digest::Sha256, 1, Form::Phc), "'django', 'werkzeug'"),
        ] {
            let error = scheme.unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
        }
    }
}
