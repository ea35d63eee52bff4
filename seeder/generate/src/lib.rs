//! Values for synthetic rows and payloads, as functions for expressions.
//!
//! | in an expression | value |
//! | --- | --- |
//! | `pick(['a', 'b'])`, `pick('a', 'b')` | one of them, each as likely |
//! | `weighted({'a': 3, 'b': 1})` | a key, as often as its weight says |
//! | `cycle(['a', 'b'], n)` | the n-th in turn, from 1 |
//! | `integer(1, 5)` | a whole number, both ends included |
//! | `uniform(0.7, 1.0)` | a number in the half-open range |
//! | `skewed(1, 1000, 3)` | a whole number, lower ones more often: 1 is even, 8 the steepest |
//! | `normal(10, 2)` | mean and standard deviation; never further off than 6 of them |
//! | `chance(0.3)` | true as often as that |
//! | `place(45.5, -73.5, 0.5)` | `{latitude, longitude}` within that many degrees |
//! | `uuid()` | a random UUID, version 4 |
//! | `pattern('R-##??')` | each `#` a digit, each `?` a capital letter |
//! | `pad(n, 4)` | the number with leading zeros |
//! | `now()`, `time('-3h')` | RFC 3339, the clock's time and one relative to it |
//! | `time_between('-30d', '-1h')` | RFC 3339, anywhere between |
//! | `fake.name()`, `fake.sentence(3, 8)`, … | see [`fake_data::NAMES`] |
//!
//! No value depends on anything but the [`Stream`], the position in it and the
//! clock: not on the order of evaluation, the machine, the locale or the day.
//! To that end the arithmetic keeps to what IEEE 754 rounds exactly.

mod clock;
mod compile;
pub mod fake_data;
mod functions;
mod generators;
mod source;
mod stream;
mod times;

pub use clock::Clock;
pub use compile::compile;
pub use functions::skewed;
pub use generators::Generators;
pub use source::{Source, lock};
pub use stream::Stream;
