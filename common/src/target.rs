//! The URL of a system as somebody types it: scheme, host and port, and nothing else.
//!
//! What is typed may have a password in it. No error here repeats it, and [`Typed`] keeps it from
//! clap, which repeats what it cannot parse.

use std::convert::Infallible;
use std::fmt;
use std::str::FromStr;

/// A system by its address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    pub secure: bool,
    /// A name or an address; one of IPv6 in its brackets.
    pub host: String,
    pub port: u16,
}

/// Why a text is none. Without the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TargetError {
    #[error("not an http or https URL; expected one such as http://127.0.0.1:8080")]
    NotAUrl,
    #[error("credentials do not belong there; expected a URL such as http://127.0.0.1:8080")]
    Credentials,
    #[error("a path does not belong there; expected a URL such as http://127.0.0.1:8080")]
    Path,
}

impl FromStr for Target {
    type Err = TargetError;

    fn from_str(text: &str) -> Result<Self, TargetError> {
        let (scheme, rest) = text.split_once("://").ok_or(TargetError::NotAUrl)?;
        let secure = match scheme.to_ascii_lowercase().as_str() {
            "http" => false,
            "https" => true,
            _ => return Err(TargetError::NotAUrl),
        };
        // Wherever it stands: a password may have a `/` in it.
        if rest.contains('@') {
            return Err(TargetError::Credentials);
        }
        let authority = rest.strip_suffix('/').unwrap_or(rest);
        if authority.contains(['/', '?', '#']) {
            return Err(TargetError::Path);
        }
        let default = if secure { 443 } else { 80 };
        let (host, port) = match authority.rsplit_once(':') {
            Some((host, port)) if !authority.ends_with(']') => {
                (host, port.parse().map_err(|_| TargetError::NotAUrl)?)
            }
            _ => (authority, default),
        };
        if host.is_empty() || host.contains(char::is_whitespace) {
            return Err(TargetError::NotAUrl);
        }
        Ok(Self { secure, host: host.to_owned(), port })
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.secure { "https" } else { "http" };
        write!(f, "{scheme}://{}:{}", self.host, self.port)
    }
}

/// What was typed for an option, right or wrong, for clap to take as it is.
#[derive(Clone, Debug)]
pub struct Typed<T>(Result<T, TargetError>);

/// An option that is no [`Target`].
#[derive(Debug, thiserror::Error)]
#[error("{option}")]
pub struct OptionError {
    pub option: &'static str,
    pub source: TargetError,
}

impl<T: FromStr<Err = TargetError>> FromStr for Typed<T> {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Infallible> {
        Ok(Self(text.parse()))
    }
}

impl<T> Typed<T> {
    /// # Errors
    /// When it was wrong, with the option's name, such as `--target`.
    pub fn value(self, option: &'static str) -> Result<T, OptionError> {
        self.0.map_err(|source| OptionError { option, source })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets_are_scheme_host_and_port() {
        let target = |text: &str| text.parse::<Target>().map(|target| target.to_string()).ok();
        assert_eq!(target("http://127.0.0.1:8080/").as_deref(), Some("http://127.0.0.1:8080"));
        assert_eq!(target("HTTPS://localhost").as_deref(), Some("https://localhost:443"));
        assert_eq!(target("http://[::1]:81").as_deref(), Some("http://[::1]:81"));
        assert_eq!(target("http://[::1]").as_deref(), Some("http://[::1]:80"));
        for text in
            ["127.0.0.1:80", "ftp://x", "http://", "http://:80", "http://h:port", "http://h h"]
        {
            assert_eq!(text.parse::<Target>(), Err(TargetError::NotAUrl), "{text}");
        }
        for text in ["http://h/api", "http://h?a", "http://h#a"] {
            assert_eq!(text.parse::<Target>(), Err(TargetError::Path), "{text}");
        }
    }

    #[test]
    fn a_password_is_refused_and_never_repeated() {
        for text in [
            "http://u:hunter2@h",
            "http://hunter2@h:80",
            "https://u:hun/ter2@h",
            "http://u:@hunter2@h",
            "u:hunter2@h",
            "http://h/?token=hunter2",
            "http://h:hunter2",
        ] {
            let typed: Typed<Target> = text.parse().unwrap_or_else(|never| match never {});
            assert!(!format!("{typed:?}").contains("ter2"), "{text}");
            let told = crate::exit::one_line("tool", &typed.value("--target").unwrap_err());
            assert!(told.starts_with("tool: --target: ") && !told.contains("ter2"), "{told}");
            assert!(told.contains("such as http://127.0.0.1:8080"), "{told}");
        }
    }
}
