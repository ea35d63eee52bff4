//! Which user is of which persona and has which account.

use common::shares::{interleaved, largest_remainder};
use manifest::format::{Account, Manifest};

use super::collect::PersonaTotals;
use super::error::RecordError;
use super::script::{Persona, Personas, Step};
use super::template::Reference;

/// Who plays what.
pub(super) struct Cast {
    /// In the order of starting.
    pub(super) roles: Vec<Role>,
    pub(super) totals: Vec<PersonaTotals>,
}

pub(super) struct Role {
    /// Index of the persona.
    pub(super) persona: usize,
    pub(super) account: Account,
}

/// Shares the users among the personas and gives each an account in turn.
pub(super) fn cast(
    personas: &Personas,
    manifest: &Manifest,
    users: u32,
) -> Result<Cast, RecordError> {
    let personas = &personas.personas;
    let mut accounts = Vec::with_capacity(personas.len());
    for persona in personas {
        accounts.push(accounts_of(persona, manifest)?);
    }
    let weights: Vec<f64> = personas.iter().map(|persona| f64::from(persona.weight)).collect();
    let shares = largest_remainder(u64::from(users), &weights);
    let roles = interleaved(&shares)
        .into_iter()
        .map(|(persona, ordinal)| {
            let of = accounts[persona].len();
            // Less than the users, of which there are at most 2^32.
            let account = accounts[persona][ordinal as usize % of].clone();
            Role { persona, account }
        })
        .collect();
    let totals = personas
        .iter()
        .zip(&accounts)
        .map(|(persona, accounts)| PersonaTotals {
            name: persona.name.clone(),
            users: 0,
            accounts: accounts.len() as u64,
            requests: 0,
            failures: 0,
        })
        .collect();
    Ok(Cast { roles, totals })
}

pub(super) fn accounts_of<'m>(
    persona: &Persona,
    manifest: &'m Manifest,
) -> Result<Vec<&'m Account>, RecordError> {
    let accounts: Vec<_> =
        manifest.accounts.iter().filter(|account| account.persona == persona.accounts).collect();
    if accounts.is_empty() {
        return Err(RecordError::NoAccounts {
            persona: persona.accounts.clone(),
            by: persona.name.clone(),
        });
    }
    let steps = persona.login.iter().chain(persona.tasks.iter().flat_map(|task| &task.steps));
    for reference in steps.flat_map(Step::references) {
        if let Reference::Account(field) = reference
            && let Some(account) = accounts.iter().find(|a| !a.fields.contains_key(field))
        {
            return Err(RecordError::NoField {
                persona: persona.name.clone(),
                account: account.name.clone(),
                field: field.clone(),
            });
        }
    }
    Ok(accounts)
}
