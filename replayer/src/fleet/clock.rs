//! How far a worker's clock is from the lead's.

use std::time::Duration;

use async_nats::Client;
use bytes::Bytes;
use chrono::{DateTime, Utc};
use futures_util::StreamExt as _;

use super::error::FleetError;
use super::names;
use super::record::Clock;

/// Exchanges, of which the shortest tells most.
const PROBES: usize = 32;
const PATIENCE: Duration = Duration::from_secs(2);

/// When a question was sent, came, was answered and the answer came: the first and the last by the
/// clock of who asks.
#[derive(Clone, Copy)]
struct Exchange {
    sent: DateTime<Utc>,
    came: DateTime<Utc>,
    answered: DateTime<Utc>,
    back: DateTime<Utc>,
}

impl Exchange {
    /// As the Network Time Protocol has it (RFC 5905, section 8); none where it took less than no
    /// time, since a clock was set meanwhile.
    fn clock(self) -> Option<Clock> {
        let Self { sent, came, answered, back } = self;
        let us = |span: chrono::TimeDelta| span.num_microseconds();
        let (there, here) = (us(came - sent)?, us(answered - back)?);
        let round_us = u64::try_from(us(back - sent)? - us(answered - came)?).ok()?;
        Some(Clock { offset_us: (there + here) / 2, bound_us: round_us.div_ceil(2) })
    }
}

/// Answers what the time is, until the connection is closed.
pub(super) async fn serve(client: &Client, run: &str) -> Result<(), FleetError> {
    let mut questions =
        client.subscribe(names::clock(run)).await.map_err(FleetError::nats("hear the workers"))?;
    let client = client.clone();
    tokio::spawn(async move {
        while let Some(question) = questions.next().await {
            let Some(reply) = question.reply else { continue };
            let came = Utc::now().timestamp_micros();
            let answer = [came.to_be_bytes(), Utc::now().timestamp_micros().to_be_bytes()].concat();
            // Who asks asks again.
            let _ = client.publish(reply, Bytes::from(answer)).await;
            let _ = client.flush().await;
        }
    });
    Ok(())
}

fn times(answer: &[u8]) -> Option<(DateTime<Utc>, DateTime<Utc>)> {
    let (came, answered) = answer.split_at_checked(8)?;
    let time =
        |bytes: &[u8]| DateTime::from_timestamp_micros(i64::from_be_bytes(bytes.try_into().ok()?));
    Some((time(came)?, time(answered)?))
}

/// Asks the lead; none where it does not answer.
pub(super) async fn probe(client: &Client, run: &str) -> Option<Clock> {
    let mut best: Option<Clock> = None;
    for _ in 0..PROBES {
        let sent = Utc::now();
        let asked = client.request(names::clock(run), Bytes::new());
        let Ok(Ok(answer)) = tokio::time::timeout(PATIENCE, asked).await else { break };
        let back = Utc::now();
        let exchange = times(&answer.payload)
            .and_then(|(came, answered)| Exchange { sent, came, answered, back }.clock());
        best = best.into_iter().chain(exchange).min_by_key(|clock| clock.bound_us);
    }
    best
}

#[cfg(test)]
mod tests {
    use super::*;

    use proptest::prelude::*;

    proptest! {
        /// However long the ways there and back take, the true offset lies within the bound.
        #[test]
        fn the_offset_is_as_exact_as_it_says(
            offset_us in -10_000_000_i64..10_000_000,
            there_us in 0_i64..100_000,
            within_us in 0_i64..1_000,
            back_us in 0_i64..100_000,
        ) {
            let time = |us| DateTime::from_timestamp_micros(1_700_000_000_000_000 + us).unwrap();
            let exchange = Exchange {
                sent: time(0),
                came: time(there_us + offset_us),
                answered: time(there_us + within_us + offset_us),
                back: time(there_us + within_us + back_us),
            };
            let clock = exchange.clock().unwrap();
            prop_assert!(clock.offset_us.abs_diff(offset_us) <= clock.bound_us);
            prop_assert_eq!(clock.bound_us, (there_us + back_us).cast_unsigned().div_ceil(2));
        }
    }
}
