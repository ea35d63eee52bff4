//! `fake.…()`: names, addresses and prose.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use fake::Fake;
use fake::faker::{address::en as address, company::en as company, internet::en as internet};
use fake::faker::{job::en as job, lorem::en as lorem, name::en as name};
use minijinja::value::{Object, ObjectRepr, Value, from_args};
use minijinja::{Error, ErrorKind, State};
use rand_chacha::ChaCha8Rng;

use super::functions::invalid;
use super::source::{Source, lock};

/// What may stand after `fake.`. Those of prose take the least and the most
/// number of words, sentences for `paragraph`.
pub const NAMES: [&str; 17] = [
    "building_number",
    "city",
    "company",
    "country",
    "first_name",
    "industry",
    "job",
    "last_name",
    "name",
    "paragraph",
    "sentence",
    "state",
    "street",
    "street_suffix",
    "user_agent",
    "username",
    "word",
];

pub(super) struct FakeData(Source);

impl FakeData {
    pub(super) fn value(source: &Source) -> Value {
        Value::from_object(Self(source.clone()))
    }
}

impl fmt::Debug for FakeData {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("fake")
    }
}

impl Object for FakeData {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Plain
    }

    fn call_method(
        self: &Arc<Self>,
        _: &mut State<'_, '_>,
        method: &str,
        args: &[Value],
    ) -> Result<Value, Error> {
        let source = &mut *lock(&self.0);
        let text = match method {
            "sentence" => lorem::Sentence(range(args, 4..9)?).fake_with_rng(source),
            "paragraph" => {
                let sentences: Vec<String> =
                    lorem::Sentences(range(args, 2..5)?).fake_with_rng(source);
                sentences.join(" ")
            }
            _ => {
                from_args::<()>(args)?;
                plain(method, source).ok_or_else(|| unknown(method))?
            }
        };
        Ok(Value::from(text))
    }
}

fn plain(method: &str, source: &mut ChaCha8Rng) -> Option<String> {
    Some(match method {
        "building_number" => address::BuildingNumber().fake_with_rng(source),
        "city" => address::CityName().fake_with_rng(source),
        "company" => company::CompanyName().fake_with_rng(source),
        "country" => address::CountryName().fake_with_rng(source),
        "first_name" => name::FirstName().fake_with_rng(source),
        "industry" => company::Industry().fake_with_rng(source),
        "job" => job::Title().fake_with_rng(source),
        "last_name" => name::LastName().fake_with_rng(source),
        "name" => name::Name().fake_with_rng(source),
        "state" => address::StateName().fake_with_rng(source),
        "street" => address::StreetName().fake_with_rng(source),
        "street_suffix" => address::StreetSuffix().fake_with_rng(source),
        "user_agent" => internet::UserAgent().fake_with_rng(source),
        "username" => internet::Username().fake_with_rng(source),
        "word" => lorem::Word().fake_with_rng(source),
        _ => return None,
    })
}

/// Least and most, both included, as the two arguments or by default.
fn range(args: &[Value], default: Range<usize>) -> Result<Range<usize>, Error> {
    let (least, most): (Option<usize>, Option<usize>) = from_args(args)?;
    let least = least.unwrap_or(default.start);
    let most = most.unwrap_or(default.end.max(least + 1) - 1);
    if least == 0 || least > most {
        return Err(invalid(format!("{least} to {most} is not a range from 1 on")));
    }
    Ok(least..most + 1)
}

fn unknown(method: &str) -> Error {
    let hint = common::nearest::hint(method, NAMES);
    Error::new(ErrorKind::UnknownMethod, format!("there is no fake.{method}(){hint}"))
}
