//! What a run observes beside the target: what is typed, and what its scenario names.

use common::secret::Secret;
use common_net::trust::Trust;
use scenario::{Observed, Scenario};

use super::asked::Asked;
use crate::config::ConfigError;
use crate::error::Error;
use crate::observe::{By, Named, Rules, Said};

/// All of it: nothing where nothing is to be observed.
///
/// # Errors
/// When the environment does not say where something of the scenario is.
pub(super) fn said(
    asked: &Asked<'_>,
    scenario: Option<&Scenario>,
) -> Result<Vec<Said>, ConfigError> {
    if asked.conduct.no_observe {
        return Ok(Vec::new());
    }
    let typed = asked.conduct.observe.iter().map(|text| (text.clone(), By::Option));
    let mut said: Vec<Said> = typed.map(|(text, by)| Said { text, by }).collect();
    let by = By::Scenario(asked.load.scenario.clone().unwrap_or_default());
    for observed in scenario.map_or(&[][..], |scenario| &scenario.observe) {
        let text = match observed {
            Observed::Written(text) => text.clone(),
            Observed::Variable { kind, name } => match std::env::var(name) {
                Ok(value) if !value.is_empty() => format!("{kind}={value}"),
                _ => {
                    let (place, variable) = (by.to_string(), name.clone());
                    return Err(ConfigError::NoVariable { place, variable });
                }
            },
        };
        said.push(Said { text: text.into(), by: by.clone() });
    }
    Ok(said)
}

/// The database behind the target, where it may be asked: the one that is given as that, else the
/// first that is observed.
pub(super) fn database(asked: &Asked<'_>, said: &[Said]) -> Option<Secret> {
    if asked.conduct.no_observe {
        return None;
    }
    let named = || said.iter().find_map(|said| said.text.expose().strip_prefix("postgres="));
    let given = asked.conduct.database_url.clone();
    given.or_else(|| named().map(|url| Secret::from(url.to_owned())))
}

/// Looked at as sources, on this machine or a host that is allowed.
///
/// # Errors
/// When something of it cannot be observed.
pub(super) fn named(asked: &Asked<'_>, said: &[Said]) -> Result<Vec<(Named, By)>, Error> {
    let Asked { input, conduct, .. } = asked;
    if conduct.no_observe {
        return Ok(Vec::new());
    }
    let trust = if input.insecure { Trust::Insecure } else { Trust::System };
    let rules = Rules { allowed: &input.allow_host, trust };
    Ok(Named::all(said, conduct.database_url.as_ref(), &rules)?)
}
